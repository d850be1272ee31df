//! Plots of results, as SVG text.
//!
//! ```text
//!   archive ---> campaign: which lines ---> chart: axes, lines, bands, labels ---> SVG
//!                                     \---> heat_map: coloured cells         ---/
//! ```
//!
//! Made to be printed a column wide: letters are large beside the canvas, there are no titles (a caption says it), and
//! every line has its name at its end. The colours are those of Okabe and Ito (2008), which people with any colour vision
//! tell apart; dashes and marks differ too, so that a grey print is enough. The background is white, so that a dark page
//! does not swallow the letters. The same results give the same bytes.

mod axis;
pub mod campaign;
mod chart;
mod heat_map;
mod style;

pub use axis::{Axis, Scale};
pub use chart::{Chart, Line, svg};
pub use heat_map::{HeatMap, heat_map};
pub use style::Look;
