//! The page in a real browser against the real server, worked as a person would.
//!
//! Every test fails on any error or warning in the console of the page or of its worker, and on any uncaught exception
//! in either; `console.rs` shows that it would. `FARSIGN_BROWSER=firefox` runs them in Firefox, but for those that name
//! what only Chromium has.

mod compare;
mod consent;
mod console;
mod controls;
mod craft;
mod dashboard;
mod devtools;
mod drawing;
mod joining;
mod memory;
mod page;
mod people;
mod resilience;
mod screenshots;
mod training;
