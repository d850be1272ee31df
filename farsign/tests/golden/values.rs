//! Files of golden values.
//!
//! ```text
//!   # comment
//!   name:
//!     value value value ...        any number of lines, each value a word
//! ```

use std::collections::BTreeMap;
use std::fmt::Write as _;

#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// Values by name.
type Values = BTreeMap<String, Vec<String>>;

const HEAD: &str = "\
# Golden values; farsign/tests/golden/main.rs documents how they are compared and written.
# Bytes are hexadecimal; floats are their 32 bits in hexadecimal; indices and counts are decimal.
";

/// The golden values of one file, as computed by the code.
pub struct Golden {
    name: &'static str,
    committed: &'static str,
    computed: Values,
}

impl Golden {
    /// Creates the values of the file `name` in testdata, whose text is `committed`.
    pub fn new(name: &'static str, committed: &'static str) -> Self {
        Self {
            name,
            committed,
            computed: Values::new(),
        }
    }

    /// Adds bytes.
    pub fn bytes(&mut self, name: &str, bytes: &[u8]) {
        self.words(name, bytes.iter().map(|byte| format!("{byte:02x}")));
    }

    /// Adds floats, by their bits.
    pub fn floats(&mut self, name: &str, floats: &[f32]) {
        self.words(
            name,
            floats
                .iter()
                .map(|float| format!("{:08x}", float.to_bits())),
        );
    }

    /// Adds signed integers in decimal.
    pub fn integers(&mut self, name: &str, integers: &[i32]) {
        self.words(name, integers.iter().map(ToString::to_string));
    }

    /// Adds 64-bit words in hexadecimal.
    pub fn longs(&mut self, name: &str, longs: impl IntoIterator<Item = u64>) {
        self.words(name, longs.into_iter().map(|long| format!("{long:016x}")));
    }

    /// Adds indices or counts.
    pub fn indices(&mut self, name: &str, indices: impl IntoIterator<Item = usize>) {
        self.words(name, indices.into_iter().map(|index| index.to_string()));
    }

    fn words(&mut self, name: &str, words: impl Iterator<Item = String>) {
        let before = self.computed.insert(name.to_owned(), words.collect());
        assert!(before.is_none(), "two golden values are named {name:?}");
    }

    /// Compares the values with the file, or writes it if `FARSIGN_WRITE_GOLDEN` is set.
    pub fn check(self) {
        if std::env::var_os("FARSIGN_WRITE_GOLDEN").is_some() {
            let path = format!("{}/testdata/{}", env!("CARGO_MANIFEST_DIR"), self.name);
            std::fs::write(&path, render(&self.computed)).expect("testdata is writable");
            return;
        }
        let committed =
            parse(self.committed).unwrap_or_else(|why| panic!("testdata/{}: {why}", self.name));
        let differences = differences(&committed, &self.computed);
        assert!(
            differences.is_empty(),
            "testdata/{}:\n  {}",
            self.name,
            differences.join("\n  ")
        );
    }
}

fn render(values: &Values) -> String {
    let mut text = HEAD.to_owned();
    for (name, words) in values {
        _ = write!(text, "\n{name}:\n");
        let wide = words.iter().any(|word| word.len() > 4);
        for line in words.chunks(if wide { 8 } else { 32 }) {
            _ = writeln!(text, "  {}", line.join(" "));
        }
    }
    text
}

fn parse(text: &str) -> Result<Values, String> {
    let mut values = Values::new();
    let mut name = None;
    for line in text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        if let Some(words) = line.strip_prefix("  ") {
            let name: &String = name.as_ref().ok_or("values before the first name")?;
            values
                .entry(name.clone())
                .or_default()
                .extend(words.split(' ').map(str::to_owned));
        } else {
            let new = line
                .strip_suffix(':')
                .ok_or_else(|| format!("expected a name, found {line:?}"))?;
            if values.insert(new.to_owned(), Vec::new()).is_some() {
                return Err(format!("two values are named {new:?}"));
            }
            name = Some(new.to_owned());
        }
    }
    Ok(values)
}

fn differences(committed: &Values, computed: &Values) -> Vec<String> {
    let missing = computed
        .keys()
        .filter(|name| !committed.contains_key(*name));
    let extra = committed
        .keys()
        .filter(|name| !computed.contains_key(*name));
    let changed = computed.iter().filter_map(|(name, computed)| {
        let committed = committed
            .get(name)
            .filter(|committed| *committed != computed)?;
        let at = committed
            .iter()
            .zip(computed)
            .take_while(|(c, m)| c == m)
            .count();
        let word = |words: &[String]| words.get(at).map_or("the end".to_owned(), Clone::clone);
        Some(format!(
            "{name}: expected {} at value {at}, found {}",
            word(committed),
            word(computed)
        ))
    });
    let missing = missing.map(|name| format!("{name}: missing from the file"));
    let extra = extra.map(|name| format!("{name}: in the file, but not computed by a test"));
    missing.chain(extra).chain(changed).collect()
}

#[test]
fn every_kind_of_difference_is_reported() {
    let values = |text| parse(text).unwrap();
    let committed = values("# head\na:\n  01 02\n  03\n\nb:\n  ff\nc:\n");
    assert_eq!(committed["a"], ["01", "02", "03"]);
    assert!(committed["c"].is_empty());
    let found = |computed| differences(&committed, &values(computed));
    assert!(found("a:\n  01 02 03\nb:\n  ff\nc:\n").is_empty());
    assert_eq!(
        found("a:\n  01 02 03\nb:\n  fe\nc:\n"),
        ["b: expected ff at value 0, found fe"]
    );
    assert_eq!(
        found("a:\n  01 02\nb:\n  ff\nc:\n"),
        ["a: expected 03 at value 2, found the end"]
    );
    assert_eq!(
        found("a:\n  01 02 03\nb:\n  ff\n"),
        ["c: in the file, but not computed by a test"]
    );
    let more = found("a:\n  01 02 03\nb:\n  ff\nc:\nd:\n");
    assert_eq!(more, ["d: missing from the file"]);
    assert!(parse("a:\n  01\na:\n  01\n").is_err());
    assert!(parse("  01\n").is_err());
    assert!(parse("a\n").is_err());
    assert_eq!(
        values(&render(&committed)),
        committed,
        "values round-trip through their text"
    );
}
