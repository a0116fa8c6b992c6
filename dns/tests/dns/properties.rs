//! What holds for every packet and every zone.

use headgate_dns::{RecordType, Transport};
use proptest::{
    collection::vec,
    prelude::{any, prop_oneof},
    proptest,
    strategy::{Just, Strategy},
};

use crate::lab::{Lab, parse, query};

/// Names in and around the example zone.
fn names() -> impl Strategy<Value = String> {
    let labels = ["a", "*", "www", "sub", "ns", "apps", "part", "fixed", "ent", "aliases", "_tcp"];
    let label = (0..labels.len()).prop_map(move |index| labels[index]);
    let origin = prop_oneof![Just("example.test."), Just("test."), Just("inner.example.test.")];
    (vec(label, 0..5), origin).prop_map(|(labels, origin)| {
        labels.iter().fold(origin.to_owned(), |name, label| format!("{label}.{name}"))
    })
}

fn types() -> impl Strategy<Value = RecordType> {
    let usual = [1_u16, 2, 5, 6, 15, 16, 28, 33, 43, 255, 257].map(RecordType::from);
    prop_oneof![
        (0..usual.len()).prop_map(move |index| usual[index]),
        any::<u16>().prop_map(RecordType::from)
    ]
}

proptest! {
    #[test]
    fn every_answer_can_be_read_and_repeats_its_question(
        name in names(), kind in types(), size in any::<u16>(), edns in any::<bool>(),
    ) {
        let lab = Lab::new();
        let asked = query(&name, kind);
        let asked = if edns { asked.with_edns(size) } else { asked };
        let bytes = asked.bytes();
        let reply = lab.send(&bytes).expect("a query is answered");
        let message = parse(&reply);
        let question = 12..bytes.len() - if edns { 11 } else { 0 };
        assert_eq!(reply[question.clone()], bytes[question]);
        assert_eq!(message.metadata.id, 0x1234);
        assert_eq!(message.edns.is_some(), edns);
        let limit = if edns { size.clamp(512, 1232) } else { 512 };
        assert!(reply.len() <= limit.into());
        // Over TCP nothing is cut.
        let whole = parse(&lab.send_as(&bytes, Transport::Tcp).unwrap());
        assert!(!whole.metadata.truncation);
        if !message.metadata.truncation {
            assert_eq!((message.answers, message.authorities), (whole.answers, whole.authorities));
        }
    }

    #[test]
    fn no_packet_is_answered_with_more_than_a_header_unless_it_is_a_query(
        packet in vec(any::<u8>(), 0..600),
    ) {
        let lab = Lab::new();
        if let Some(reply) = lab.send(&packet) {
            assert!(packet[2] & 0x80 == 0);
            assert_eq!(reply[..2], packet[..2]);
            assert!(reply.len() <= packet.len().max(12) + 28);
        }
    }

    #[test]
    fn a_query_with_a_flipped_byte_is_still_no_trouble(
        name in names(), at in any::<proptest::sample::Index>(), byte in any::<u8>(),
    ) {
        let lab = Lab::new();
        let mut packet = query(&name, RecordType::A).with_cookie(b"8 bytes!").bytes();
        let at = at.index(packet.len());
        packet[at] = byte;
        if let Some(reply) = lab.send(&packet)
            && reply.len() > 12
        {
            parse(&reply);
        }
    }
}
