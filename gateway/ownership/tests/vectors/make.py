#!/usr/bin/env python3
"""Makes taubyte.json: ownership tokens as an independent implementation signs them.

    pip install pyjwt cryptography base58
    python3 make.py > taubyte.json

The keys are made anew each time and only the public ones are kept, so the file changes as a whole.
"""

import base64
import hashlib
import hmac
import json

import base58
import jwt
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

PROJECT = "QmNTj7BY3YNySGaUrfuWjkomCME8fTcynvgHiNdX1hyLME"
OTHER_PROJECT = "QmYjtig7VJQ6XsnUjqqJvj7QaMcCAwtrgNdahSiFofrE7o"
HOST = "shop.example.com"
NOW = 1_767_268_800  # seconds; some day in 2026


def address(host: str, project: str) -> str:
    """base58 of a multihash: code 0x11 (SHA-1), length 20, digest."""
    digest = hashlib.sha1((host + project).encode()).digest()
    return base58.b58encode(bytes([0x11, 20]) + digest).decode()


def public_pem(key) -> str:
    kind = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, kind).decode()


def segment(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unsigned(header: dict, claims: dict) -> str:
    return ".".join(segment(json.dumps(part).encode()) for part in (header, claims))


def expiring_as_a_text(key, claims: dict) -> str:
    """Signed by hand: a library may refuse to write such a claim."""
    text = unsigned({"typ": "JWT", "alg": "ES256"}, claims | {"exp": "never"})
    r, s = decode_dss_signature(key.sign(text.encode(), ec.ECDSA(hashes.SHA256())))
    return text + "." + segment(r.to_bytes(32, "big") + s.to_bytes(32, "big"))


def main() -> None:
    key, other_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    p384 = ec.generate_private_key(ec.SECP384R1())
    claims = {"address": address(HOST, PROJECT)}
    good = jwt.encode(claims, key, algorithm="ES256")
    pem = public_pem(key)

    # The classic: the public key, which everybody may know, as the secret of an HMAC.
    confused = unsigned({"typ": "JWT", "alg": "HS256"}, claims)
    tag = hmac.new(pem.encode(), confused.encode(), hashlib.sha256).digest()

    def signed(claims: dict) -> str:
        return jwt.encode(claims, key, algorithm="ES256")

    refused = {
        "another key": jwt.encode(claims, other_key, algorithm="ES256"),
        "another host": signed({"address": address("blog.example.com", PROJECT)}),
        "another project": signed({"address": address(HOST, OTHER_PROJECT)}),
        "a wildcard's": signed({"address": address("*." + HOST, PROJECT)}),
        "no address": signed({"iss": "somebody"}),
        "alg none": unsigned({"typ": "JWT", "alg": "none"}, claims) + ".",
        "alg none with the good signature":
            unsigned({"typ": "JWT", "alg": "none"}, claims) + "." + good.split(".")[2],
        "alg HS256 with the public key as its secret": confused + "." + segment(tag),
        "alg ES384": jwt.encode(claims, p384, algorithm="ES384"),
        "expired": signed(claims | {"exp": NOW - 1}),
        "expires as a text": expiring_as_a_text(key, claims),
        "truncated": good[:-6],
        "lengthened": good + "AA",
        "without its signature": ".".join(good.split(".")[:2]),
        "other claims under the good signature":
            segment(json.dumps({"typ": "JWT", "alg": "ES256"}).encode()) + "."
            + segment(json.dumps({"address": address("blog.example.com", PROJECT)}).encode())
            + "." + good.split(".")[2],
        "nothing": "",
        "something else": "v=spf1 -all",
    }
    print(json.dumps({
        "made_with": f"PyJWT {jwt.__version__}",
        "now": NOW,
        "host": HOST,
        "project": PROJECT,
        "address": claims["address"],
        "public_key": pem,
        "good": {
            "plain": good,
            "not expired": signed(claims | {"exp": NOW + 3600}),
            "with other claims": signed(claims | {"iss": "cloud", "aud": "x", "nbf": NOW + 99}),
        },
        "refused": refused,
    }, indent=1))


if __name__ == "__main__":
    main()
