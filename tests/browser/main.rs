//! Tests of the pages in a real browser against the real server.
//!
//! A test fails on any error or warning in the console of the page or of its workers, and on any uncaught exception in
//! either; `console.rs` tests this. `FARSIGN_BROWSER=firefox` selects Firefox and skips the tests of features that only
//! Chromium has.

mod accessibility;
mod budget;
mod compare;
mod compatibility;
mod consent;
mod console;
mod console_message;
mod controls;
mod cores;
mod dashboard;
mod data_texts;
mod data_worker;
mod demo;
mod details;
mod devtools;
mod drawing;
mod joining;
mod layout;
mod leaderboard;
mod line_budget;
mod memory;
mod page;
mod proxies;
mod resilience;
mod screenshots;
mod throttle;
mod training;
