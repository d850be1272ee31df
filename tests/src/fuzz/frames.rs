//! Frames of the protocol, in both directions.

use std::sync::Arc;

use farsign::sign::SignBits;
use farsign::step::Step;
use farsign::wire::{
    ClientFrame, ClientRecord, DeltaBody, EncodedSnapshot, EncodedSteps, ServerFrame, ServerRecord,
    SnapshotBody, read_client_frame, read_server_frame,
};

/// Number of signs in an update, unless a welcome in the frame has another number. The golden values have 9.
const DEFAULT_DIRECTIONS: usize = 9;

/// Tests that a valid frame of a volunteer round-trips.
pub fn client_frame(bytes: &[u8]) -> bool {
    let Ok(record) = read_client_frame(bytes) else {
        return false;
    };
    let mut written = Vec::new();
    match &record {
        ClientRecord::Hello(hello) => ClientFrame::hello(hello, &mut written),
        ClientRecord::Update { task, bits } => {
            let signs =
                SignBits::from_bytes(bits, 8 * bits.len()).expect("there are no spare bits");
            ClientFrame::update(*task, &signs, &mut written);
            assert_eq!(written, bytes, "an update has one encoding");
        }
        ClientRecord::Rest { ms } => ClientFrame::rest(*ms, &mut written),
    }
    assert!(
        written.len() <= bytes.len(),
        "the encoding of {} bytes was decoded from {}",
        bytes.len(),
        written.len()
    );
    assert_eq!(read_client_frame(&written), Ok(record));
    true
}

/// Tests that each valid record of a server frame round-trips, and that none unpacks to more than its bytes hold.
pub fn server_frame(bytes: &[u8]) -> bool {
    let Ok(records) = read_server_frame(bytes) else {
        return false;
    };
    let mut directions = DEFAULT_DIRECTIONS;
    let mut record_count = 0;
    let mut failed = false;
    for record in records {
        record_count += 1;
        match &record {
            Err(_) => failed = true,
            Ok(record @ ServerRecord::Welcome(welcome)) => {
                directions = welcome.settings.directions.count();
                check_round_trip(record);
            }
            Ok(ServerRecord::Snapshot(snapshot)) => check_snapshot(snapshot, bytes.len()),
            Ok(ServerRecord::Delta(delta)) => check_delta(delta, directions, bytes.len()),
            Ok(record) => check_round_trip(record),
        }
    }
    assert!(
        5 * record_count <= bytes.len() + 5,
        "{record_count} records in {} bytes",
        bytes.len()
    );
    !failed
}

fn check_round_trip(record: &ServerRecord<'_>) {
    let mut written = Vec::new();
    let mut frame = ServerFrame::new(&mut written);
    match record {
        ServerRecord::Welcome(welcome) => frame.welcome(welcome.volunteer, &welcome.settings),
        ServerRecord::Task(task) => frame.task(task),
        ServerRecord::Accepted { task, accepted } => frame.accepted(*task, *accepted),
        ServerRecord::Rejected { task, reason } => frame.rejected(*task, *reason),
        ServerRecord::Goodbye(goodbye) => frame.goodbye(*goodbye),
        ServerRecord::Snapshot(_) | ServerRecord::Delta(_) => return,
    };
    assert_eq!(only_record(&written), *record);
}

fn check_snapshot(snapshot: &SnapshotBody<'_>, frame_bytes: usize) {
    let mut x = Vec::new();
    assert!(
        2 * snapshot.parameters() <= frame_bytes,
        "more parameters than bytes for them"
    );
    if snapshot.unpack(&mut x).is_err() {
        return;
    }
    assert_eq!(x.len(), snapshot.parameters());
    assert!(x.iter().all(|value| value.is_finite()));
    let encoded = EncodedSnapshot::new(snapshot.version, Arc::from(&x[..]));
    for half in [false, true] {
        let mut written = Vec::new();
        let mut frame = ServerFrame::new(&mut written);
        if half {
            frame.half_snapshot(&encoded)
        } else {
            frame.snapshot(&encoded)
        };
        let ServerRecord::Snapshot(again) = only_record(&written) else {
            panic!("a snapshot was written")
        };
        let mut as_read = Vec::new();
        again
            .unpack(&mut as_read)
            .expect("finite parameters stay finite");
        let as_sent = encoded.as_sent(half);
        assert_eq!(again.version, snapshot.version);
        assert!(
            as_read
                .iter()
                .map(|v| v.to_bits())
                .eq(as_sent.iter().map(|v| v.to_bits())),
            "half: {half}"
        );
    }
}

fn check_delta(delta: &DeltaBody<'_>, directions: usize, frame_bytes: usize) {
    let mut steps = EncodedSteps::default();
    let mut count = 0;
    let read = delta.for_each_step(directions, &mut Step::default(), |step| {
        assert_eq!(step.signs.count(), directions);
        steps.push(step);
        count += 1;
    });
    assert!(
        count * (12 + directions.div_ceil(8)) <= frame_bytes,
        "more steps than bytes for them"
    );
    if read.is_ok() {
        let mut written = Vec::new();
        ServerFrame::new(&mut written).delta(delta.base, delta.version, [&steps]);
        assert_eq!(
            only_record(&written),
            ServerRecord::Delta(*delta),
            "steps have one encoding"
        );
    }
}

fn only_record(frame: &[u8]) -> ServerRecord<'_> {
    let mut records = read_server_frame(frame).expect("a frame of this version");
    let record = records.next().expect("one record").expect("a valid record");
    assert!(records.next().is_none(), "one record");
    record
}
