//! Plots of results, as SVG text.
//!
//! ```text
//!   results ---> suite: selects lines ---> chart: axes, lines, bands, labels ---> SVG
//!                                     \--> heat_map: coloured cells          --/
//! ```
//!
//! Plots are designed for a column of print: letters are large, a caption replaces the title, and every line has its
//! label at its end. The colours of Okabe and Ito (2008) are distinguishable with any colour vision; dashes and markers
//! differ too, for grey prints. The background is white, so letters stay readable on a dark page. The same results give
//! the same bytes.

mod axis;
mod chart;
mod heat_map;
mod style;
pub mod suite;

pub use axis::{Axis, Scale};
pub use chart::{Chart, Line, svg};
pub use heat_map::{HeatMap, heat_map};
pub use style::LineStyle;
