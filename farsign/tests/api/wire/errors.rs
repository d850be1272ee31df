//! Every kind of error.

use farsign::wire::{VERSION, WireError, read_client_frame};

use super::{frame, read_all};

/// The error of a malformed frame from the server.
fn server_error(frame: &[u8]) -> WireError {
    read_all(frame).expect_err("the frame is malformed")
}

#[test]
fn unsupported_version_rejected() {
    for found in [0, 1, 0xff] {
        let bytes = [found, 0x01, 1, 0, 0, 0, 1];
        assert_eq!(read_client_frame(&bytes), Err(WireError::Version { found }));
        assert_eq!(server_error(&bytes), WireError::Version { found });
    }
}

#[test]
fn truncated_frames_rejected() {
    let truncated = |offset, expected, found| WireError::Truncated {
        offset,
        expected,
        found,
    };
    let client = |bytes: &[u8]| read_client_frame(bytes).unwrap_err();
    assert_eq!(client(&[]), truncated(0, 1, 0));
    assert_eq!(client(&[VERSION, 0x01, 5, 0]), truncated(2, 4, 2));
    assert_eq!(
        client(&[VERSION, 0x02, 9, 0, 0, 0, 1, 2]),
        truncated(6, 9, 2)
    );
    assert_eq!(
        client(&[VERSION, 0x02, 0xff, 0xff, 0xff, 0xff]),
        truncated(6, u32::MAX as usize, 0)
    );
    assert_eq!(client(&frame(0x02, &[0; 7])), truncated(6, 8, 7));
    assert_eq!(client(&frame(0x01, &[3, b'a'])), truncated(7, 3, 1));
    assert_eq!(client(&frame(0x01, &[1, b'a', 1])), truncated(8, 2, 1));
    assert_eq!(server_error(&[]), truncated(0, 1, 0));
    assert_eq!(server_error(&frame(0x82, &[0; 64])), truncated(70, 4, 0));
    assert_eq!(
        server_error(&frame(0x82, &task_body(1, 1)[..70])),
        truncated(76, 1, 0)
    );
    assert_eq!(server_error(&frame(0x84, &[0; 15])), truncated(14, 8, 7));
    assert_eq!(server_error(&frame(0x83, &[0; 14])), truncated(20, 1, 0));
    let mut version = vec![0; 15 + 31];
    version[14] = 1; // differences to a base
    assert_eq!(server_error(&frame(0x83, &version)), truncated(21, 32, 31));
    assert_eq!(client(&frame(0x03, &[0; 7])), truncated(6, 8, 7));
}

/// The body of a task of `images` from `shards`.
fn task_body(images: u32, shards: u16) -> Vec<u8> {
    let mut body = vec![0; 71];
    body[64..68].copy_from_slice(&images.to_le_bytes());
    body[68..70].copy_from_slice(&shards.to_le_bytes());
    body
}

#[test]
fn trailing_bytes_rejected() {
    let trailing = |offset, found| WireError::Trailing { offset, found };
    assert_eq!(
        read_client_frame(&frame(0x01, &[1, b'a', 1, 0, 0, b'b'])),
        Err(trailing(11, 1))
    );
    let longer = [&task_body(1, 1)[..], &[0; 2]].concat();
    assert_eq!(server_error(&frame(0x82, &longer)), trailing(77, 2));
    assert_eq!(
        server_error(&frame(0x85, &[0, 0, 0, 0, 0, 0, 0, 0, 1, 9])),
        trailing(15, 1)
    );
    assert_eq!(
        read_client_frame(&frame(0x03, &[0; 9])),
        Err(trailing(14, 1))
    );
    let settings = minimal_welcome(|_| ());
    assert_eq!(
        server_error(&[&settings[..], &[0]].concat()),
        WireError::Truncated {
            offset: 90,
            expected: 4,
            found: 0
        }
    );
}

#[test]
fn unknown_client_kind_rejected() {
    for found in [0x00, 0x07, 0x81, 0xff] {
        assert_eq!(
            read_client_frame(&frame(found, &[0; 8])),
            Err(WireError::Kind { offset: 1, found })
        );
    }
}

#[test]
fn numbers_have_exact_length() {
    // The rest, the shards and the line rate.
    for (kind, length) in [(0x04, 4), (0x05, 2), (0x06, 4)] {
        let read = |bytes| read_client_frame(&frame(kind, &vec![0; bytes])).map(|_| ());
        assert_eq!(read(length), Ok(()));
        let short = WireError::Truncated {
            offset: 6,
            expected: length,
            found: length - 1,
        };
        assert_eq!(read(length - 1), Err(short));
        let long = WireError::Trailing {
            offset: 6 + length,
            found: 1,
        };
        assert_eq!(read(length + 1), Err(long));
    }
}

#[test]
fn empty_frame_rejected() {
    assert_eq!(read_client_frame(&[VERSION]), Err(WireError::Empty));
    assert_eq!(read_all(&[VERSION]), Ok(vec![]));
}

#[test]
fn invalid_agents_are_rejected() {
    let hello = |agent: &[u8]| frame(0x01, &[&[agent.len() as u8], agent, &[1, 0]].concat());
    for agent in [&b""[..], &[b'x'; 65], &[b'x'; 255], &[0xff], &[b'a', 0xc3]] {
        assert_eq!(
            read_client_frame(&hello(agent)),
            Err(WireError::Agent),
            "{agent:?}"
        );
    }
    assert!(read_client_frame(&hello(&[b'x'; 64])).is_ok());
}

#[test]
fn malformed_secrets_and_tokens_are_rejected() {
    let hello = |rest: &[u8]| frame(0x01, &[&[1, b'a', 1, 0], rest].concat());
    let truncated = |offset, expected, found| WireError::Truncated {
        offset,
        expected,
        found,
    };
    let error = |rest: &[u8]| read_client_frame(&hello(rest)).unwrap_err();
    assert_eq!(error(&[1]), truncated(11, 16, 0));
    assert_eq!(error(&[&[1][..], &[0; 15]].concat()), truncated(11, 16, 15));
    assert_eq!(
        error(&[&[1][..], &[0; 17]].concat()),
        WireError::Trailing {
            offset: 27,
            found: 1
        }
    );
    assert_eq!(error(&[2]), truncated(11, 1, 0));
    assert_eq!(error(&[2, 2, b'x']), truncated(12, 2, 1));
    for token in [&[0][..], &[1, 0xff], &[&[65][..], &[b'x'; 65]].concat()] {
        assert_eq!(error(&[&[2], token].concat()), WireError::Token);
    }
}

#[test]
fn unknown_codes_are_rejected() {
    let code = |what, found| WireError::Code { what, found };
    let with = |len: usize, at: usize, byte: u8| {
        let mut body = vec![0; len];
        body[at] = byte;
        body
    };
    for flags in [2u8, 3, 0xff] {
        let mut body = task_body(1, 1);
        body[70] = flags;
        assert_eq!(
            server_error(&frame(0x82, &body)),
            code("task flags", flags.into())
        );
    }
    assert_eq!(
        server_error(&frame(0x83, &with(15, 14, 2))),
        code("kind of base", 2)
    );
    for reason in [0u8, 11, 0xff] {
        assert_eq!(
            server_error(&frame(0x85, &with(9, 8, reason))),
            code("reject reason", reason.into())
        );
    }
    for reason in [0u8, 21, 0xff] {
        assert_eq!(
            server_error(&frame(0x86, &with(5, 0, reason))),
            code("goodbye reason", reason.into())
        );
    }
    assert_eq!(
        server_error(&minimal_welcome(|w| w.order = 2)),
        code("order", 2)
    );
    assert_eq!(
        server_error(&minimal_welcome(|w| w.family = 4)),
        code("direction family", 4)
    );
}

#[test]
fn non_finite_values_are_rejected() {
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let non_finite = |what| WireError::NonFinite {
            what,
            found: bad.to_string(),
        };
        assert_eq!(
            server_error(&minimal_welcome(|w| w.delta = bad)),
            non_finite("delta")
        );
        assert_eq!(
            server_error(&minimal_welcome(|w| w.beta = bad)),
            non_finite("beta")
        );
    }
}

#[test]
fn values_out_of_range_are_rejected() {
    let range = |what, expected, found: &str| WireError::Range {
        what,
        expected,
        found: found.to_owned(),
    };
    for (at, found) in [(12, "31 and 0"), (13, "0 and 31")] {
        let mut version = vec![0; 15];
        version[at] = 31;
        let what = "fraction bits and the shift of a grid";
        let error = range(what, "of at most 30", found);
        assert_eq!(server_error(&frame(0x83, &version)), error);
    }
    let batch = |batch, found| {
        assert_eq!(
            server_error(&minimal_welcome(|w| w.batch = batch)),
            range("batch", "of 1 to 65536", found)
        );
    };
    batch(0, "0");
    batch(65_537, "65537");
    for images in [0, 65_537, u32::MAX] {
        assert_eq!(
            server_error(&frame(0x82, &task_body(images, 1))),
            range("images of a task", "of 1 to 65536", &images.to_string())
        );
    }
    for shards in [0, 1025, u16::MAX] {
        assert_eq!(
            server_error(&frame(0x82, &task_body(1, shards))),
            range("shards of a task", "of 1 to 1024", &shards.to_string())
        );
    }
    for (beta, found) in [(0.0, "0"), (-0.1, "-0.1"), (1.5, "1.5")] {
        let expected = range("beta", "above 0 and at most 1", found);
        assert_eq!(server_error(&minimal_welcome(|w| w.beta = beta)), expected);
    }
    for (delta, found) in [(0.0, "0"), (-1.0, "-1")] {
        let zeroth = minimal_welcome(|w| (w.order, w.delta) = (1, delta));
        assert_eq!(server_error(&zeroth), range("delta", "above 0", found));
    }
}

#[test]
fn invalid_settings_are_rejected() {
    let assert_error = |change: fn(&mut RawWelcome), expected: &str| match server_error(
        &minimal_welcome(change),
    ) {
        WireError::Settings(why) => assert!(why.contains(expected), "{why}"),
        other => panic!("expected invalid settings, found {other:?}"),
    };
    assert_error(|w| w.widths = vec![], "2 to 16 layer widths");
    assert_error(|w| w.widths = vec![2; 255], "2 to 16 layer widths");
    assert_error(|w| w.widths = vec![0, 2], "layer widths of 1");
    assert_error(|w| w.widths = vec![u32::MAX, u32::MAX], "layer widths of 1");
    assert_error(|w| w.widths = vec![2, 1], "2 to 256 classes");
    assert_error(|w| w.widths = vec![1 << 20, 256], "parameters");
    assert_error(|w| w.directions = 0, "found 0");
    assert_error(|w| w.directions = 10, "1 to 9 directions");
    assert_error(|w| (w.family, w.number) = (1, 3), "power of two");
    assert_error(|w| (w.family, w.number) = (3, 0), "nonzeros of 1");
    assert_error(
        |w| (w.family, w.number, w.directions) = (3, 4, 3),
        "nonzeros of 1 to 3",
    );
}

/// The raw fields of a welcome.
struct RawWelcome {
    widths: Vec<u32>,
    order: u8,
    delta: f32,
    family: u8,
    number: u32,
    directions: u32,
    batch: u32,
    beta: f32,
}

/// A valid welcome with one change.
fn minimal_welcome(change: impl FnOnce(&mut RawWelcome)) -> Vec<u8> {
    let order = 0;
    let delta = 0.0;
    let family = 0;
    let number = 0;
    let mut raw = RawWelcome {
        widths: vec![2, 3],
        order,
        delta,
        family,
        number,
        directions: 9,
        batch: 1,
        beta: 1.0,
    };
    change(&mut raw);
    let mut body = vec![0; 16];
    body.push(raw.widths.len() as u8);
    raw.widths
        .iter()
        .for_each(|width| body.extend(width.to_le_bytes()));
    body.push(raw.order);
    body.extend(raw.delta.to_le_bytes());
    body.push(raw.family);
    body.extend(raw.number.to_le_bytes());
    body.extend(raw.directions.to_le_bytes());
    body.extend(raw.batch.to_le_bytes());
    body.extend(raw.beta.to_le_bytes());
    body.extend([0; 36]);
    frame(0x81, &body)
}
