// Contract: a JSON API over the document {"currency":"EUR","items":[{"name":…,"cents":N,"quantity":N},…]}.
//
// | request          | answer                                                                       |
// |------------------|------------------------------------------------------------------------------|
// | POST `…/total`   | 200 {"currency":…,"cents":N,"lines":[{"name":…,"cents":N},…]}, a line an item |
// | POST `…/sorted`  | 200 the document with its items by price; the query `by=name` sorts by name  |
// | another method   | 405 with `allow: POST`                                                       |
// | another path     | 404                                                                          |
//
// 400 what is not JSON, 422 what is no such document; every refusal is {"error":…}.

addEventListener("fetch", (event) => event.respondWith(answer(event.request)));

const ROUTES = { total, sorted };

const ORDERS = {
  price: (a, b) => a.cents - b.cents,
  name: (a, b) => (a.name < b.name ? -1 : Number(a.name > b.name)),
};

async function answer(request) {
  try {
    const url = new URL(request.url);
    const route = url.pathname.split("/").pop();
    if (!Object.hasOwn(ROUTES, route)) throw new Refusal(404, "not found");
    if (request.method !== "POST") throw new Refusal(405, "only POST", { allow: "POST" });
    return json(ROUTES[route](cartIn(await request.text()), url.searchParams));
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return json({ error: error.message }, error.status, error.headers);
  }
}

function total({ currency, items }) {
  const lines = items.map(({ name, cents, quantity }) => ({ name, cents: cents * quantity }));
  return { currency, cents: lines.reduce((sum, line) => sum + line.cents, 0), lines };
}

function sorted({ currency, items }, query) {
  const by = query.get("by") ?? "price";
  if (!Object.hasOwn(ORDERS, by)) throw new Refusal(400, "by is price or name");
  return { currency, items: items.toSorted(ORDERS[by]) };
}

function cartIn(text) {
  let cart;
  try {
    cart = JSON.parse(text);
  } catch (error) {
    throw new Refusal(400, error.message);
  }
  if (typeof cart?.currency !== "string") throw new Refusal(422, "currency is no text");
  if (!Array.isArray(cart.items)) throw new Refusal(422, "items is no list");
  cart.items.forEach((item, at) => {
    const { name, cents, quantity } = item ?? {};
    if (typeof name !== "string") throw new Refusal(422, `the name of item ${at} is no text`);
    if (!isCount(cents) || !isCount(quantity)) throw new Refusal(422, `item ${at} has no price and quantity`);
  });
  return cart;
}

function isCount(value) {
  return Number.isSafeInteger(value) && value >= 0;
}

function json(value, status = 200, headers = {}) {
  return new Response(JSON.stringify(value), {
    status,
    headers: { "content-type": "application/json", ...headers },
  });
}

// An error of whoever asked.
class Refusal extends Error {
  constructor(status, message, headers) {
    super(message);
    Object.assign(this, { status, headers });
  }
}
