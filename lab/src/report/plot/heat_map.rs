//! Heat maps: tables with coloured cells.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::report::plot::style::{FONT, FONT_SIZE, INK};

/// Width and height of a cell in pixels.
const CELL: (i32, i32) = (120, 74);
/// Approximate width of a letter in pixels.
const LETTER: i32 = 20;
/// Pixels between names and cells, and at the edges.
const GAP: i32 = 16;

/// Cividis (Nuñez, Anderton and Renslow 2018), which looks alike with any colour vision, from the lowest to the highest
/// value.
const COLOURS: [(u8, u8, u8); 7] = [
    (0, 32, 76),
    (38, 63, 107),
    (87, 92, 108),
    (124, 123, 120),
    (163, 155, 117),
    (207, 189, 97),
    (253, 234, 69),
];

/// A table of percentages.
#[derive(Clone, Debug, PartialEq)]
pub struct HeatMap {
    /// Column names.
    pub columns: Vec<String>,
    /// Row names and values, 0 to 100; `None` is an empty cell.
    pub rows: Vec<(String, Vec<Option<f64>>)>,
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;
type Failed<'a> = DrawingAreaErrorKind<<SVGBackend<'a> as DrawingBackend>::ErrorType>;

/// Returns the table as SVG. The lowest value of each row is bold.
pub fn heat_map(map: &HeatMap) -> String {
    let letters =
        |names: &mut dyn Iterator<Item = &String>| names.map(|name| name.chars().count()).max();
    let left =
        letters(&mut map.rows.iter().map(|row| &row.0)).unwrap_or(0) as i32 * LETTER + 2 * GAP;
    let above = letters(&mut map.columns.iter()).unwrap_or(0) as i32 * LETTER + 2 * GAP;
    let width = left + map.columns.len() as i32 * CELL.0 + GAP;
    let height = above + map.rows.len() as i32 * CELL.1 + GAP;
    let mut text = String::new();
    let area =
        SVGBackend::with_string(&mut text, (width as u32, height as u32)).into_drawing_area();
    draw(map, &area, (left, above)).expect("writing to a String is infallible");
    drop(area);
    text
}

fn draw<'a>(map: &HeatMap, area: &Area<'a>, (left, above): (i32, i32)) -> Result<(), Failed<'a>> {
    area.fill(&WHITE)?;
    let font = (FONT, FONT_SIZE).into_font().color(&INK);
    let upright = font
        .clone()
        .transform(FontTransform::Rotate270)
        .pos(Pos::new(HPos::Left, VPos::Center));
    for (name, column) in map.columns.iter().zip(0..) {
        let at = (left + column * CELL.0 + CELL.0 / 2, above - GAP);
        area.draw(&Text::new(name.clone(), at, upright.clone()))?;
    }
    let values = || {
        map.rows
            .iter()
            .flat_map(|(_, values)| values.iter().flatten().copied())
    };
    let ends = (values().fold(100.0, f64::min), values().fold(0.0, f64::max));
    for ((name, values), row) in map.rows.iter().zip(0..) {
        let top = above + row * CELL.1;
        let before = font.pos(Pos::new(HPos::Right, VPos::Center));
        area.draw(&Text::new(
            name.clone(),
            (left - GAP, top + CELL.1 / 2),
            before,
        ))?;
        let several = values.iter().flatten().count() > 1;
        let lowest = values
            .iter()
            .flatten()
            .copied()
            .fold(f64::INFINITY, f64::min);
        for (value, column) in values.iter().zip(0..) {
            if let Some(value) = *value {
                draw_cell(
                    area,
                    (left + column * CELL.0, top),
                    value,
                    ends,
                    value == lowest && several,
                )?;
            }
        }
    }
    Ok(())
}

fn draw_cell<'a>(
    area: &Area<'a>,
    (x, y): (i32, i32),
    value: f64,
    ends: (f64, f64),
    lowest: bool,
) -> Result<(), Failed<'a>> {
    let colour = colour((value - ends.0) / (ends.1 - ends.0).max(1e-9));
    area.draw(&Rectangle::new(
        [(x + 1, y + 1), (x + CELL.0 - 1, y + CELL.1 - 1)],
        colour.filled(),
    ))?;
    let style = if lowest {
        FontStyle::Bold
    } else {
        FontStyle::Normal
    };
    let font = (FONT, FONT_SIZE, style).into_font();
    let text = font
        .color(if is_dark(colour) { &WHITE } else { &BLACK })
        .pos(Pos::new(HPos::Center, VPos::Center));
    area.draw(&Text::new(
        format!("{value:.1}"),
        (x + CELL.0 / 2, y + CELL.1 / 2),
        text,
    ))
}

/// Returns the colour of a position from 0 to 1.
fn colour(position: f64) -> RGBColor {
    let position = position.clamp(0.0, 1.0) * (COLOURS.len() - 1) as f64;
    let index = (position as usize).min(COLOURS.len() - 2);
    let part = if position as usize == index {
        position - position.floor()
    } else {
        1.0
    };
    let mix = |a: u8, b: u8| (f64::from(a) + part * (f64::from(b) - f64::from(a))).round() as u8;
    let from = COLOURS[index];
    let to = COLOURS[index + 1];
    RGBColor(mix(from.0, to.0), mix(from.1, to.1), mix(from.2, to.2))
}

/// Returns whether white letters have more contrast than black ones, by luma (ITU-R BT.601).
fn is_dark(RGBColor(r, g, b): RGBColor) -> bool {
    0.299 * f64::from(r) + 0.587 * f64::from(g) + 0.114 * f64::from(b) < 128.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_lighten_with_value() {
        let luma = |position: f64| {
            let RGBColor(r, g, b) = colour(position);
            0.299 * f64::from(r) + 0.587 * f64::from(g) + 0.114 * f64::from(b)
        };
        assert!((1..=100).all(|n| luma(f64::from(n) / 100.0) >= luma(f64::from(n - 1) / 100.0)));
        assert_eq!(
            (colour(-1.0), colour(1.0)),
            (RGBColor(0, 32, 76), RGBColor(253, 234, 69))
        );
    }

    #[test]
    fn row_minimum_is_bold() {
        let map = HeatMap {
            columns: vec![
                "none".to_owned(),
                "replay".to_owned(),
                "coherent-drift".to_owned(),
            ],
            rows: vec![("plain".to_owned(), vec![Some(91.25), Some(60.0), None])],
        };
        let svg = heat_map(&map);
        let bold: Vec<&str> = svg
            .split("<text")
            .filter(|text| text.contains("bold"))
            .collect();
        assert!(bold.len() == 1 && bold[0].contains("60.0"), "{bold:?}");
        assert!(
            svg.contains("plain") && svg.contains("coherent-drift") && svg.contains("91.2"),
            "{svg}"
        );
        assert_eq!(
            svg.matches("<rect").count(),
            1 + 2,
            "the background and two cells"
        );
    }
}
