//! Section `fleet`: volunteers behind a line, next to those of an earlier protocol, and thousands of simulated ones.

mod cell;
mod data;
mod first_update;
mod line;
mod many;
mod real;
mod session;
mod simulated;
mod work;

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use farsign::wire::VERSION;
use serde_json::Value;

use cell::Cell;
use data::FleetData;

use crate::machine::Machine;
use crate::report::{Ratio, Section};
use crate::table::Table;

/// Name of the section.
pub const NAME: &str = "fleet";

/// Tables of protocol version 1, as this section recorded them.
const RECORDED: &str = include_str!("version-1.json");

/// Rules, each with the default minibatch.
const RULES: [&str; 2] = ["plain", "verified"];
/// Numbers of volunteers behind a line.
const VOLUNTEERS: [usize; 2] = [4, 64];
/// Round trips of the line, in ms.
const ROUND_TRIPS_MS: [u64; 3] = [0, 100, 300];
/// Efforts, in percent.
const EFFORTS: [u32; 2] = [100, 25];
/// Numbers of simulated volunteers with one update a second.
const MANY: [usize; 2] = [1000, 5000];

/// Columns that are compared with the recorded tables, and whether more is better.
const COMPARED: [(&str, bool); 4] = [
    ("down", false),
    ("down each", false),
    ("busy, computing", true),
    ("server: CPU time", false),
];

const ABOUT: &str = "\
`farsign serve` with the default network, 784-128-10, in a run that does not end and is not \
evaluated. Four volunteers compute, as `farsign volunteer` does. The other 60 are simulated: they receive and decode \
like those, but wait instead of computing, for as long as computing took alone on this machine before, and send \
pseudorandom signs. All are behind a TCP proxy that delays each direction by half of the round trip and limits no \
bandwidth. Busy is the fraction of the time besides rests in which a volunteer computes; otherwise it waits for the \
line or the server. Bytes are those of the TCP connections of the volunteers that compute, requests and headers of \
WebSockets included. Each row is one window of 8 s, after 10 s in which tasks grow and volunteers download their data. Under `verified` with \
simulated volunteers no update is sampled for verification, which would fail; with four volunteers, all compute, and \
verification has its default settings.

Server, proxy and volunteers share the cores of this machine. Where the round trip is 0 ms, and with 64 volunteers, \
the rows show how they share them; the time of computing includes waiting for a core.

The second table has only simulated volunteers, directly on loopback, with one update a second each, and settings \
that lift the limits on volunteers, connections and joins of one address. The generator is the process with all of \
them. Volunteers join no further when less than 3 GiB of the machine's memory is left.";

/// Duration of the parts of a measurement.
#[derive(Clone, Copy, Debug)]
struct Timing {
    /// Time between the last join and the window.
    warm_up: Duration,
    /// Time in which everything is counted.
    window: Duration,
}

/// Extent of the section.
struct Extent {
    timing: Timing,
    many: &'static [usize],
    browsers: usize,
}

impl Extent {
    fn of(machine: &Machine) -> Self {
        let ms = Duration::from_millis;
        if machine.quick {
            Self {
                timing: Timing {
                    warm_up: ms(700),
                    window: ms(1500),
                },
                many: &[100],
                browsers: 1,
            }
        } else {
            Self {
                timing: Timing {
                    warm_up: ms(10_000),
                    window: ms(8000),
                },
                many: &MANY,
                browsers: 3,
            }
        }
    }
}

/// Measures the section. A signal stops it, and with it the processes that it started.
///
/// # Errors
///
/// Returns an error if a server fails, a volunteer is rejected, or a signal stops the measurement.
pub fn run(machine: &Machine) -> Result<Section> {
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        tokio::select! {
            section = measure(machine) => section,
            stopped = stop_signal() => {
                stopped?;
                bail!("stopped by a signal")
            }
        }
    })
}

/// Waits for a signal that stops the program.
async fn stop_signal() -> io::Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            stopped = tokio::signal::ctrl_c() => stopped,
            _ = terminate.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    {
        tokio::signal::ctrl_c().await
    }
}

async fn measure(machine: &Machine) -> Result<Section> {
    let extent = Extent::of(machine);
    let data = FleetData::load(machine)?;
    let (cells, computing) = measure_cells(extent.timing, &data).await?;
    let (many, ends) = measure_many(&extent, &data).await?;
    eprintln!("  first update of a browser");
    let first = first_update::measure(machine, extent.browsers, &data).await?;
    let mut tables = vec![cells, many];
    let recorded = recorded()?;
    let earlier = recorded
        .iter()
        .filter(|earlier| tables.iter().all(|table| table.title != earlier.title));
    let earlier: Vec<Table> = earlier.cloned().collect();
    let ratios = earlier.first().map(|earlier| compare(&tables[0], earlier));
    tables.extend(earlier);
    let about_data = format!("The training data are {}.", data.name);
    let mut about = vec![ABOUT.to_owned(), about_data, computing];
    about.extend(ends);
    Ok(Section {
        name: NAME,
        title: "Volunteers behind a line".to_owned(),
        about: about.join("\n\n"),
        tables,
        rows: first.into_iter().collect(),
        ratios: ratios.unwrap_or_default(),
    })
}

/// Measures all combinations, and describes the time of computing of each rule.
async fn measure_cells(timing: Timing, data: &FleetData) -> Result<(Table, String)> {
    let title = format!("Volunteers behind a line, protocol version {VERSION}");
    let mut table = Table::new(title, &cell::COLUMNS);
    let mut computing: BTreeMap<(&str, u32), Vec<Duration>> = BTreeMap::new();
    for cell in cells() {
        let name = cell.name();
        eprintln!("  {name}");
        let measured = cell::measure(&cell, timing, data).await;
        let (row, time) = measured.with_context(|| name)?;
        table.rows.push(row);
        let (time, images) = time.measured();
        computing.entry((cell.rule, images)).or_default().push(time);
    }
    let describe = |((rule, images), mut times): ((&str, u32), Vec<Duration>)| {
        times.sort_unstable();
        let ms = times[times.len() / 2].as_secs_f64() * 1e3;
        format!("{ms:.2} ms for {images} images under `{rule}`")
    };
    let computing: Vec<String> = computing.into_iter().map(describe).collect();
    let computing = format!(
        "Computing an update alone took {}.",
        computing.join(", and ")
    );
    Ok((table, computing))
}

fn cells() -> impl Iterator<Item = Cell> {
    RULES.into_iter().flat_map(|rule| {
        VOLUNTEERS.into_iter().flat_map(move |volunteers| {
            ROUND_TRIPS_MS.into_iter().flat_map(move |round_trip_ms| {
                EFFORTS.map(|effort| Cell {
                    rule,
                    volunteers,
                    round_trip_ms,
                    effort,
                })
            })
        })
    })
}

/// Measures large fleets, and describes the ends of those that were not served.
async fn measure_many(extent: &Extent, data: &FleetData) -> Result<(Table, Vec<String>)> {
    let title =
        format!("Simulated volunteers with one update a second, protocol version {VERSION}");
    let mut table = Table::new(title, &many::COLUMNS);
    let mut ends = Vec::new();
    for &volunteers in extent.many {
        eprintln!("  {volunteers} simulated volunteers");
        let (row, end) = many::measure(volunteers, extent.timing, data).await?;
        ends.extend(end.map(|end| format!("{}: {end}.", row.what)));
        table.rows.push(row);
    }
    Ok((table, ends))
}

/// Reads the recorded tables.
fn recorded() -> Result<Vec<Table>> {
    let tables: Value = serde_json::from_str(RECORDED)?;
    let tables = tables.as_array().context("expected a list of tables")?;
    tables.iter().map(Table::from_json).collect()
}

/// Returns the gains over recorded figures, for 64 volunteers under `plain`.
///
/// A figure that has improved has a gain above 1.
fn compare(table: &Table, earlier: &Table) -> Vec<Ratio> {
    let rows = cells()
        .filter(|cell| cell.rule == "plain" && cell.volunteers == 64)
        .map(|cell| cell.name());
    let gain = |row: &str, (column, is_more_better): (&str, bool)| {
        let now = table.value(row, column)?;
        let before = earlier.value(row, column)?;
        let (what, value) = if is_more_better {
            (format!("{row}: {column}, now over earlier"), now / before)
        } else {
            (format!("{row}: {column}, earlier over now"), before / now)
        };
        Some(Ratio {
            what,
            value,
            target: None,
        })
    };
    rows.flat_map(|row| COMPARED.map(|column| gain(&row, column)))
        .flatten()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::TableRow;

    #[test]
    fn recorded_tables_have_current_columns() {
        let current = [&cell::COLUMNS[..], &many::COLUMNS[..]];
        for table in recorded().expect("tables") {
            let title = &table.title;
            assert!(title.ends_with("protocol version 1"), "{title}");
            let is_current = |columns: &&[_]| Table::new("", columns).columns == table.columns;
            assert!(current.iter().any(is_current), "{title}");
        }
    }

    #[test]
    fn gains_exceed_one_when_better() {
        let row = "plain, 64 volunteers, 100 ms, effort 100 %";
        let table = |down: f64, busy: f64| {
            let mut table = Table::new("", &[("down", "B"), ("busy, computing", "%")]);
            table.rows.push(TableRow {
                what: row.to_owned(),
                values: vec![Some(down), Some(busy)],
            });
            table
        };
        let gains: Vec<f64> = compare(&table(25.0, 80.0), &table(400.0, 2.0))
            .iter()
            .map(|ratio| ratio.value)
            .collect();
        assert_eq!(gains, [16.0, 40.0]);
    }
}
