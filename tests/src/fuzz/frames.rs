//! Frames of the protocol, in both directions.

use farsign::sign::SignBits;
use farsign::version::Version;
use farsign::wire::{
    ClientFrame, ClientRecord, EncodedVersion, ServerFrame, ServerRecord, VersionBody,
    read_client_frame, read_server_frame,
};

/// Number of parameters of a version, unless a welcome in the frame has another number. The golden values have 9.
const DEFAULT_PARAMETERS: usize = 9;

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
        ClientRecord::VersionRequest { task } => ClientFrame::version_request(*task, &mut written),
        ClientRecord::Rest { ms } => ClientFrame::rest(*ms, &mut written),
        ClientRecord::Shards { held } => ClientFrame::shards(*held, &mut written),
        ClientRecord::LineRate { bytes_per_s } => {
            ClientFrame::line_rate(*bytes_per_s, &mut written);
        }
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

/// Tests that each valid record of a server frame round-trips, and that no version decodes to other bits after that.
pub fn server_frame(bytes: &[u8]) -> bool {
    let Ok(records) = read_server_frame(bytes) else {
        return false;
    };
    let mut parameters = DEFAULT_PARAMETERS;
    let mut record_count = 0;
    let mut failed = false;
    for record in records {
        record_count += 1;
        match &record {
            Err(_) => failed = true,
            Ok(record @ ServerRecord::Welcome(welcome)) => {
                parameters = welcome.settings.architecture.parameters();
                check_round_trip(record);
            }
            Ok(ServerRecord::Version(body)) => check_version(body, parameters),
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
        ServerRecord::Accepted { task, message } => frame.accepted(*task, *message),
        ServerRecord::Rejected { task, reason } => frame.rejected(*task, *reason),
        ServerRecord::Goodbye(goodbye) => frame.goodbye(*goodbye),
        ServerRecord::Version(_) => return,
    };
    assert_eq!(only_record(&written), *record);
}

/// Tests that a whole version that decodes is encoded to one that decodes to the same bits.
fn check_version(body: &VersionBody<'_>, d: usize) {
    let d = d.min(body.parameters as usize);
    let decode = |body: &VersionBody<'_>| {
        Version::from_differences(None, body.number, body.grid, body.differences, d)
    };
    let Ok(version) = decode(body) else {
        return;
    };
    assert_eq!(version.k().len(), d);
    assert!(version.parameters().iter().all(|x| x.is_finite()));
    let mut written = Vec::new();
    ServerFrame::new(&mut written).version(&EncodedVersion::new(&version, None));
    let ServerRecord::Version(again) = only_record(&written) else {
        panic!("a version was written")
    };
    assert_eq!(decode(&again).map(|again| again.hash()), Ok(version.hash()));
}

fn only_record(frame: &[u8]) -> ServerRecord<'_> {
    let mut records = read_server_frame(frame).expect("a frame of this version");
    let record = records.next().expect("one record").expect("a valid record");
    assert!(records.next().is_none(), "one record");
    record
}
