//! decode(encode(x)) = x for every record, and a record that is cut short asks for more.

use bytes::Bytes;
use quickcheck::quickcheck;
use zk_proto::arbitrary::Answer;
use zk_proto::jute::{DEFAULT_LIMIT, Put, Reader};
use zk_proto::quorum::{ForwardedRequest, Hello, Notification, Packet, next_frame, packet_len};
use zk_proto::snapshot::{Decoder, Piece};
use zk_proto::*;

fn encoded(encode: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    encode(&mut out);
    out
}

quickcheck! {
    // spec: CP-JUT-01, CP-JUT-02, CP-JUT-03, CP-JUT-05, CP-JUT-06
    fn fields(byte: u8, flag: bool, int: i32, long: i64, buffer: Option<Vec<u8>>, text: String) -> bool {
        let bytes = encoded(|out| {
            out.put_byte(byte);
            out.put_bool(flag);
            out.put_int(int);
            out.put_long(long);
            out.put_buffer(buffer.as_deref());
            out.put_string(&text);
        });
        let mut reader = Reader::new(&bytes);
        reader.byte() == Ok(byte)
            && reader.bool() == Ok(flag)
            && reader.int() == Ok(int)
            && reader.long() == Ok(long)
            && reader.buffer() == Ok(buffer.as_deref())
            && reader.string("text").as_deref() == Ok(&text)
            && reader.is_empty()
    }

    // spec: CP-JUT-07, CP-JUT-08
    fn strings(items: Vec<String>) -> bool {
        let bytes = encoded(|out| assert_eq!(out.put_strings(&items), items.len()));
        let strings = Strings::read(&mut Reader::new(&bytes)).unwrap();
        strings.len() == items.len()
            && strings.iter().eq(items.iter().map(String::as_str))
            && strings == items.iter().collect()
    }

    fn requests(request: Request<'static>) -> bool {
        let bytes = encoded(|out| request.encode(out));
        let whole = Request::decode(request.op(), &bytes).unwrap() == Some(request.clone());
        let cut = (0..bytes.len()).all(|len| {
            Request::decode(request.op(), &bytes[..len]) == Err(DecodeError::Truncated)
        });
        whole && cut
    }

    fn responses(answer: Answer) -> bool {
        // Leaked, since the answer to compare with lives for ever.
        let bytes: &'static [u8] = encoded(|out| answer.response.encode(out)).leak();
        let whole = Response::decode(answer.op, bytes).unwrap() == answer.response;
        let cut = (0..bytes.len()).all(|len| {
            Response::decode(answer.op, &bytes[..len]) == Err(DecodeError::Truncated)
        });
        whole && cut
    }

    fn connects(zxid: i64, timeout: i32, session_id: i64, password: Option<Vec<u8>>, read_only: Option<bool>) -> bool {
        let password = password.as_deref();
        let request =
            ConnectRequest { protocol_version: 0, last_zxid_seen: zxid, timeout, session_id, password, read_only };
        let bytes = encoded(|out| request.encode(out));
        let response = ConnectResponse { timeout, session_id, password: session::password(session_id), read_only };
        let answer = encoded(|out| response.encode(out));
        ConnectRequest::decode(&bytes) == Ok(request) && ConnectResponse::decode(&answer) == Ok(response)
    }

    fn acls(acl: Vec<Acl>) -> bool {
        let bytes = encoded(|out| Acl::write_vector(&acl, out));
        let lazy = Acls::read(&mut Reader::new(&bytes)).unwrap().unwrap();
        Acl::read_vector(&mut Reader::new(&bytes)) == Ok(Some(acl.clone()))
            && lazy.to_vec() == acl
            && lazy == acl.iter().collect()
    }

    fn stats(stat: Stat, persisted: StatPersisted) -> bool {
        let (long, short) = (encoded(|out| stat.write(out)), encoded(|out| persisted.write(out)));
        long.len() == Stat::LEN
            && short.len() == StatPersisted::LEN
            && Stat::read(&mut Reader::new(&long)) == Ok(stat)
            && StatPersisted::read(&mut Reader::new(&short)) == Ok(persisted)
    }

    // spec: QP-TXN-01, DF-LOG-06, DF-LOG-07. What stands behind a digest does not matter, but to a closeSession, whose
    // parts are told apart by their fit.
    fn txns(record: TxnRecord, behind: Vec<u8>) -> bool {
        let mut bytes = encoded(|out| record.encode(out));
        let whole = TxnRecord::decode(&bytes) == Ok(record.clone());
        bytes.extend(behind);
        let open = record.digest.is_none() || matches!(record.txn, Txn::CloseSession { .. });
        whole && (open || TxnRecord::decode(&bytes) == Ok(record))
    }

    // The decoder is given one byte more each time, as a stream might.
    fn snapshots(pieces: Vec<Piece<'static>>) -> bool {
        let (mut sessions, mut entries, mut nodes) = (Vec::new(), Vec::new(), Vec::new());
        for piece in pieces {
            match piece {
                Piece::Session { .. } => sessions.push(piece),
                Piece::Acl { .. } => entries.push(piece),
                _ => nodes.push(piece),
            }
        }
        let mut expected = vec![Piece::Sessions(sessions.len() as u32)];
        expected.append(&mut sessions);
        expected.push(Piece::Acls(entries.len() as u32));
        expected.append(&mut entries);
        expected.append(&mut nodes);
        expected.push(Piece::End);
        let bytes = encoded(|out| expected.iter().for_each(|piece| piece.write(out)));
        let (mut decoder, mut start, mut end) = (Decoder::new(DEFAULT_LIMIT), 0, 0);
        for wanted in expected {
            loop {
                match decoder.next(&bytes[start..end]).unwrap() {
                    Some((piece, used)) => {
                        if piece != wanted { return false; }
                        start += used;
                        break;
                    }
                    None => end += 1,
                }
            }
        }
        decoder.is_done() && start == bytes.len()
    }

    fn packets(packet: Packet) -> bool {
        let bytes = encoded(|out| packet.encode(out));
        let cut = (0..bytes.len()).all(|len| packet_len(&bytes[..len], DEFAULT_LIMIT) == Ok(None));
        cut && packet_len(&bytes, DEFAULT_LIMIT) == Ok(Some(bytes.len()))
            && Packet::decode(&Bytes::from(bytes)) == Ok(packet)
    }

    fn forwarded_requests(session_id: i64, cxid: i32, op: i32, body: Vec<u8>, auth: Option<Vec<Id>>) -> bool {
        let request = ForwardedRequest { session_id, cxid, op, body: body.into(), auth };
        ForwardedRequest::decode(&request.encode()) == Ok(request)
    }

    fn elections(hello: Hello, notification: Notification) -> bool {
        let bytes = encoded(|out| hello.encode(out));
        let frame = encoded(|out| notification.encode_frame(out));
        let (payload, used) = next_frame(&frame).unwrap().unwrap();
        Hello::decode(&bytes) == Ok(Some((hello, bytes.len())))
            && used == frame.len()
            && Notification::decode(payload) == Ok(notification)
    }

    // spec: CP-JUT-12, CP-JUT-11. An echoed string is longer by two bytes for each character above U+FFFF, and those
    // cannot be read back; every other character can.
    fn echoes(text: String) -> bool {
        let bytes = encoded(|out| out.put_echo(&text));
        let astral = text.chars().filter(|c| c.len_utf8() == 4).count();
        let read = Reader::new(&bytes).string("text").unwrap().into_owned();
        let rest = |text: &str| text.chars().filter(|c| c.len_utf8() < 4 && *c != '\u{fffd}').collect::<String>();
        bytes.len() == 4 + text.len() + 2 * astral && rest(&read) == rest(&text)
    }
}

// spec: CP-JUT-12
#[test]
fn an_echoed_character_beyond_the_first_plane_takes_six_bytes() {
    let bytes = encoded(|out| out.put_echo("a\u{1f600}"));
    assert_eq!(
        bytes,
        [0, 0, 0, 7, b'a', 0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80]
    );
}

// spec: CP-JUT-02, CP-JUT-05, CP-JUT-07, CP-JUT-10, CP-JUT-11, CP-JUT-13
#[test]
fn odd_fields() {
    assert_eq!(Reader::new(&[7]).bool(), Ok(true));
    let int = |value: i32| value.to_be_bytes();
    assert_eq!(Reader::new(&int(-1)).buffer(), Ok(None));
    assert_eq!(Reader::new(&int(0)).buffer(), Ok(Some(&[][..])));
    for length in [-2, i32::MIN, DEFAULT_LIMIT as i32 + 1, i32::MAX] {
        let error = DecodeError::Length {
            len: length.into(),
            limit: DEFAULT_LIMIT,
        };
        assert_eq!(Reader::new(&int(length)).buffer(), Err(error));
    }
    assert_eq!(
        Reader::new(&int(DEFAULT_LIMIT as i32)).buffer(),
        Err(DecodeError::Truncated)
    );
    for count in [0, -2, i32::MIN] {
        assert_eq!(
            Strings::read_or_null(&mut Reader::new(&int(count))),
            Ok(Some(Strings::default()))
        );
    }
    assert_eq!(Strings::read_or_null(&mut Reader::new(&int(-1))), Ok(None));
    assert_eq!(
        Strings::read(&mut Reader::new(&int(i32::MAX))),
        Err(DecodeError::Truncated)
    );
    let malformed = [0, 0, 0, 3, b'a', 0xff, b'b'];
    assert_eq!(
        Reader::new(&malformed).string("text").unwrap(),
        "a\u{fffd}b"
    );
}

fn put_multi_header(out: &mut Vec<u8>, op: i32, done: bool) {
    out.put_int(op);
    out.put_bool(done);
    out.put_int(-1);
}

// spec: CP-PRE-05, CP-WAT-45, CP-MUL-06
#[test]
fn what_is_answered_with_a_marshalling_error() {
    let null = encoded(|out| out.put_int(-1));
    assert_eq!(
        Request::decode(OpCode::GetAcl, &null),
        Err(DecodeError::Null("path"))
    );
    let lists = encoded(|out| {
        out.put_long(0);
        (0..3).for_each(|_| out.put_int(-1));
    });
    assert_eq!(
        Request::decode(OpCode::SetWatches, &lists),
        Err(DecodeError::Null("watches"))
    );
    let part = |op: i32, body: &dyn Fn(&mut Vec<u8>)| {
        encoded(|out| {
            put_multi_header(out, op, false);
            body(out);
            put_multi_header(out, -1, true);
        })
    };
    let create = |flags: i32, acl: i32| {
        move |out: &mut Vec<u8>| {
            out.put_string("/a");
            out.put_buffer(None);
            out.put_int(acl);
            out.put_int(flags);
        }
    };
    let read = |out: &mut Vec<u8>| {
        out.put_string("/a");
        out.put_bool(false);
    };
    let fits = part(1, &create(0, 0));
    assert!(Request::decode(OpCode::Multi, &fits).is_ok());
    for (op, bad) in [
        (OpCode::Multi, part(1, &create(5, 0))),
        (OpCode::Multi, part(1, &create(9, 0))),
        (OpCode::Multi, part(1, &create(0, -1))),
        (OpCode::Multi, part(4, &read)),
        (OpCode::Multi, part(7, &read)),
        (OpCode::MultiRead, fits.clone()),
    ] {
        assert!(
            !matches!(
                Request::decode(op, &bad),
                Ok(_) | Err(DecodeError::Truncated)
            ),
            "{op:?} {bad:?}"
        );
    }
    assert!(Request::decode(OpCode::MultiRead, &part(4, &read)).is_ok());
}
