//! The bytes of the last hour, minute by minute.

use std::collections::VecDeque;

use super::WINDOW_MS;

/// Length of a slot, in milliseconds.
const SLOT_MS: u64 = 60_000;

/// Slots of a window.
const WINDOW_SLOTS: u64 = WINDOW_MS / SLOT_MS;

/// The bytes that were transferred or leased in the last hour, one slot for each minute.
///
/// A slot counts until its last byte is an hour old, so a byte counts for 60 to 61 minutes. If the clock is set back, the
/// slots that are now in the future count until the clock has passed them by an hour. Slots more than an hour in the
/// future come from a clock that was wrong; they move to an hour from now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LineUsage {
    /// Number of the minute, and its bytes; ascending, without empty slots.
    slots: VecDeque<(u64, u64)>,
}

/// Leased bytes, and the slot in which they are counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Leased {
    /// Number of the minute.
    pub slot: u64,
    /// The bytes.
    pub bytes: u64,
}

impl Leased {
    /// Returns bytes that are leased at this time.
    pub fn at(now_ms: u64, bytes: u64) -> Self {
        let slot = slot_of(now_ms);
        Self { slot, bytes }
    }
}

/// Returns the number of the minute of a time in ms.
pub fn slot_of(time_ms: u64) -> u64 {
    time_ms / SLOT_MS
}

impl LineUsage {
    /// Returns the usage with these slots, each a number of a minute and its bytes, in any order.
    pub fn from_slots(slots: impl IntoIterator<Item = (u64, u64)>) -> Self {
        let mut usage = Self::default();
        for (slot, bytes) in slots {
            usage.add_to_slot(slot, bytes);
        }
        usage
    }

    /// Counts bytes that are transferred or leased now.
    pub fn add(&mut self, now_ms: u64, bytes: u64) {
        self.forget_old(now_ms);
        self.add_to_slot(slot_of(now_ms), bytes);
    }

    /// Takes bytes of a lease back, which were not transferred or are counted anew.
    pub fn give_back(&mut self, leased: Leased) {
        let Leased { slot, bytes } = leased;
        let found = self.slots.binary_search_by_key(&slot, |&(other, _)| other);
        let Ok(index) = found else {
            return; // forgotten, or moved to a slot that counts longer
        };
        let used = self.slots[index].1;
        if used > bytes {
            self.slots[index].1 = used - bytes;
        } else {
            self.slots.remove(index);
        }
    }

    /// Returns the bytes of the last hour.
    pub fn used(&mut self, now_ms: u64) -> u64 {
        self.forget_old(now_ms);
        self.total()
    }

    /// Returns the earliest time at which `bytes` of a budget of `limit` bytes are available, in ms.
    pub fn available_at_ms(&mut self, now_ms: u64, limit: u64, bytes: u64) -> u64 {
        let target = limit.saturating_sub(bytes);
        let mut used = self.used(now_ms);
        let mut time_ms = now_ms;
        for &(slot, freed) in &self.slots {
            if used <= target {
                break;
            }
            used = used.saturating_sub(freed);
            time_ms = end_ms(slot);
        }
        time_ms
    }

    fn total(&self) -> u64 {
        self.slots
            .iter()
            .fold(0, |sum: u64, (_, bytes)| sum.saturating_add(*bytes))
    }

    fn add_to_slot(&mut self, slot: u64, bytes: u64) {
        if bytes == 0 {
            return;
        }
        let index = self.slots.partition_point(|&(other, _)| other < slot);
        match self.slots.get_mut(index) {
            Some((other, used)) if *other == slot => *used = used.saturating_add(bytes),
            _ => self.slots.insert(index, (slot, bytes)),
        }
    }

    /// Forgets slots that are an hour old, and moves those that are too far in the future.
    fn forget_old(&mut self, now_ms: u64) {
        while self
            .slots
            .front()
            .is_some_and(|&(slot, _)| end_ms(slot) <= now_ms)
        {
            self.slots.pop_front();
        }
        let latest = slot_of(now_ms) + WINDOW_SLOTS;
        let mut moved = 0_u64;
        while let Some(&(slot, bytes)) = self.slots.back()
            && slot > latest
        {
            moved = moved.saturating_add(bytes);
            self.slots.pop_back();
        }
        self.add_to_slot(latest, moved);
    }
}

/// Returns the time at which a slot no longer counts, in ms.
fn end_ms(slot: u64) -> u64 {
    slot.saturating_add(1 + WINDOW_SLOTS)
        .saturating_mul(SLOT_MS)
}
