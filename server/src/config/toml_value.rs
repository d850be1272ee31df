//! Values of settings in TOML: every value that is printed is read back as the same value.
//!
//! TOML has text and integers of 64 bits with a sign. A larger integer is printed as text, and a path that is not text
//! as the list of its units: bytes on Unix, 16-bit units on Windows.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::de::{Error, SeqAccess, Unexpected, Visitor};
use serde::{Deserializer, Serializer};

use crate::net::listen_address::ListenAddress;

/// A value of a setting.
pub(super) trait TomlValue: Sized {
    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error>;
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error>;
}

/// Serializes a setting.
#[allow(clippy::ref_option)] // serde passes a reference to the field
pub(super) fn serialize<T: TomlValue, S: Serializer>(
    value: &Option<T>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => value.write(serializer),
        None => serializer.serialize_none(),
    }
}

/// Deserializes a setting that is present.
pub(super) fn deserialize<'de, T: TomlValue, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::read(deserializer).map(Some)
}

/// Implements [`TomlValue`] for types that TOML can express.
macro_rules! plain_values {
    ($($kind:ty),* $(,)?) => {$(
        impl $crate::config::toml_value::TomlValue for $kind {
            fn write<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serde::Serialize::serialize(self, serializer)
            }

            fn read<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                serde::Deserialize::deserialize(deserializer)
            }
        }
    )*};
}
pub(super) use plain_values;

plain_values!(u32, f32, f64, String, ListenAddress);

impl TomlValue for u64 {
    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match i64::try_from(*self) {
            Ok(number) => serializer.serialize_i64(number),
            Err(_) => serializer.collect_str(self),
        }
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(IntegerVisitor)
    }
}

/// A visitor of integers, also of those that are text.
struct IntegerVisitor;

impl Visitor<'_> for IntegerVisitor {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an integer from 0 to {}", u64::MAX)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<u64, E> {
        Ok(value)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<u64, E> {
        u64::try_from(value).map_err(|_| E::invalid_value(Unexpected::Signed(value), &self))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<u64, E> {
        text.parse()
            .map_err(|_| E::invalid_value(Unexpected::Str(text), &self))
    }
}

impl TomlValue for PathBuf {
    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.to_str() {
            Some(text) => serializer.serialize_str(text),
            None => serializer.collect_seq(units(self)),
        }
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PathVisitor)
    }
}

/// A visitor of paths, also of those that are no text.
struct PathVisitor;

impl<'de> Visitor<'de> for PathVisitor {
    type Value = PathBuf;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a path")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<PathBuf, E> {
        Ok(text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<PathBuf, A::Error> {
        let mut units = Vec::new();
        while let Some(unit) = sequence.next_element()? {
            units.push(unit);
        }
        Ok(from_units(units))
    }
}

#[cfg(unix)]
fn units(path: &Path) -> impl IntoIterator<Item = &u8> {
    std::os::unix::ffi::OsStrExt::as_bytes(path.as_os_str())
}

#[cfg(unix)]
fn from_units(units: Vec<u8>) -> PathBuf {
    let path: std::ffi::OsString = std::os::unix::ffi::OsStringExt::from_vec(units);
    path.into()
}

#[cfg(windows)]
fn units(path: &Path) -> impl IntoIterator<Item = u16> {
    std::os::windows::ffi::OsStrExt::encode_wide(path.as_os_str())
}

#[cfg(windows)]
fn from_units(units: Vec<u16>) -> PathBuf {
    let path: std::ffi::OsString = std::os::windows::ffi::OsStringExt::from_wide(&units);
    path.into()
}
