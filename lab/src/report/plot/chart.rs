//! Line charts.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::report::plot::axis::{Axis, FittedAxis};
use crate::report::plot::style::{FONT, FONT_SIZE, GRID, INK, LEADER, LineStyle, Marker, STROKE};

/// Minimum width and height of a chart in pixels.
const MIN_SIZE: (u32, u32) = (1200, 800);
/// Minimum width of the plot area in pixels.
const MIN_PLOT_WIDTH: u32 = 600;
/// Pixels below the plot area for tick labels and axis label.
const BELOW: u32 = 112;
/// Pixels to the left of the plot area.
const LEFT: u32 = 140;
/// Pixels at the left edge.
const MARGIN: u32 = 12;
/// Pixels above the plot area.
const ABOVE: u32 = 24;
/// Pixels from the plot area to the names.
const GAP: i32 = 34;
/// Length of the line sample before a name in pixels.
const SAMPLE: i32 = 80;
/// Minimum distance between names in pixels.
const LINE_HEIGHT: i32 = 44;
/// Maximum length of a leader from the end of a line to the edge of the plot area, in pixels. A longer one would cross
/// other lines.
const MAX_LEADER: i32 = 80;
/// Approximate width of a letter in pixels.
const LETTER: usize = 20;
/// Maximum number of points of a line with markers.
const MAX_MARKED_POINTS: usize = 12;

/// A line of a chart.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Name.
    pub name: String,
    /// Style.
    pub style: LineStyle,
    /// Points.
    pub points: Vec<(f64, f64)>,
    /// Half the height of the band, point by point; no band if empty.
    pub band: Vec<f64>,
}

/// A line chart.
#[derive(Clone, Debug, PartialEq)]
pub struct Chart {
    /// Horizontal axis.
    pub x: Axis,
    /// Vertical axis.
    pub y: Axis,
    /// Lines; later ones are drawn over earlier ones.
    pub lines: Vec<Line>,
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;
type Failed<'a> = DrawingAreaErrorKind<<SVGBackend<'a> as DrawingBackend>::ErrorType>;

/// Returns the chart as SVG.
pub fn svg(chart: &Chart) -> String {
    let letters = chart
        .lines
        .iter()
        .map(|line| line.name.chars().count())
        .max()
        .unwrap_or(0);
    let right = GAP as u32 + SAMPLE as u32 + (letters * LETTER) as u32 + 20;
    let width = MIN_SIZE.0.max(MARGIN + LEFT + MIN_PLOT_WIDTH + right);
    let height = MIN_SIZE
        .1
        .max(ABOVE + chart.lines.len() as u32 * LINE_HEIGHT as u32 + BELOW);
    let mut text = String::new();
    let area = SVGBackend::with_string(&mut text, (width, height)).into_drawing_area();
    draw(chart, &area, right).expect("writing to a String is infallible");
    drop(area);
    text
}

/// Draws a chart, with `right` pixels for the names.
fn draw<'a>(chart: &Chart, area: &Area<'a>, right: u32) -> Result<(), Failed<'a>> {
    area.fill(&WHITE)?;
    let points = || chart.lines.iter().flat_map(|line| &line.points);
    let x = chart.x.fit(points().map(|p| p.0));
    let y = chart.y.fit(points().map(|p| p.1));
    let mut context = ChartBuilder::on(area)
        .margin_top(ABOVE)
        .margin_left(MARGIN)
        .margin_right(right)
        .x_label_area_size(BELOW)
        .y_label_area_size(LEFT)
        .build_cartesian_2d(x.clone(), y.clone())?;
    let font = (FONT, FONT_SIZE).into_font().color(&INK);
    context
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID.stroke_width(2))
        .axis_style(INK.stroke_width(2))
        .label_style(font.clone())
        .axis_desc_style(font)
        .x_desc(&chart.x.label)
        .y_desc(&chart.y.label)
        .draw()?;
    let mut ends = Vec::new();
    for line in &chart.lines {
        let positions = positions(line, &x, &y);
        let band = band(line, &x, &y);
        context.draw_series([Polygon::new(band, line.style.colour.mix(0.15))])?;
        draw_line(&mut context, &positions, line.style)?;
        if has_markers(line) {
            for position in &positions {
                draw_marker(area, context.backend_coord(position), line.style)?;
            }
        }
        ends.extend(
            positions
                .last()
                .map(|end| (context.backend_coord(end), line)),
        );
    }
    draw_names(area, &ends, right)
}

fn positions(line: &Line, x: &FittedAxis, y: &FittedAxis) -> Vec<(f64, f64)> {
    line.points
        .iter()
        .filter_map(|&(a, b)| x.position(a).zip(y.position(b)))
        .collect()
}

/// Returns the outline of a line's band.
fn band(line: &Line, x: &FittedAxis, y: &FittedAxis) -> Vec<(f64, f64)> {
    let edge = |side: f64| {
        let points = line.points.iter().zip(&line.band);
        let position = move |(&(a, b), half): (&(f64, f64), &f64)| {
            let (a, b) = x.position(a).zip(y.position(b + side * half))?;
            Some((a, b.clamp(y.ends.0, y.ends.1)))
        };
        points.filter_map(position).collect::<Vec<_>>()
    };
    let upper = edge(1.0).into_iter();
    let lower = edge(-1.0).into_iter();
    upper.chain(lower.rev()).collect()
}

type Context<'a, 'b> = ChartContext<'b, SVGBackend<'a>, Cartesian2d<FittedAxis, FittedAxis>>;

fn draw_line<'a>(
    context: &mut Context<'a, '_>,
    positions: &[(f64, f64)],
    style: LineStyle,
) -> Result<(), Failed<'a>> {
    let stroke = style.colour.stroke_width(STROKE);
    let points = positions.iter().copied();
    match style.dash {
        _ if !style.joined => {}
        None => _ = context.draw_series(LineSeries::new(points, stroke))?,
        Some((dash, gap)) => {
            _ = context.draw_series(DashedLineSeries::new(points, dash, gap, stroke))?;
        }
    }
    Ok(())
}

/// Returns whether each point of a line has a marker.
fn has_markers(line: &Line) -> bool {
    line.points.len() <= MAX_MARKED_POINTS || !line.style.joined
}

fn draw_marker<'a>(
    area: &Area<'a>,
    (x, y): (i32, i32),
    style: LineStyle,
) -> Result<(), Failed<'a>> {
    let size = if style.joined { 11 } else { 8 };
    let filled = style.colour.filled();
    match style.marker {
        None => Ok(()),
        Some(Marker::Disc) => area.draw(&Circle::new((x, y), size, filled)),
        Some(Marker::Square) => {
            let corners = [(x - size + 1, y - size + 1), (x + size - 1, y + size - 1)];
            area.draw(&Rectangle::new(corners, filled))
        }
        Some(Marker::Triangle) => area.draw(&TriangleMarker::new((x, y), size + 3, filled)),
        Some(Marker::Cross) => area.draw(&Cross::new(
            (x, y),
            size - 1,
            style.colour.stroke_width(STROKE),
        )),
    }
}

/// Draws names to the right of the plot area, as close to the ends of their lines as possible without overlap.
fn draw_names<'a>(
    area: &Area<'a>,
    ends: &[((i32, i32), &Line)],
    right: u32,
) -> Result<(), Failed<'a>> {
    let (width, height) = area.dim_in_pixel();
    let edge = width as i32 - right as i32;
    let wanted: Vec<i32> = ends.iter().map(|((_, y), _)| *y).collect();
    let heights = distribute(
        &wanted,
        (
            LINE_HEIGHT / 2,
            height as i32 - BELOW as i32 + LINE_HEIGHT / 2,
        ),
    );
    let centred = (FONT, FONT_SIZE)
        .into_font()
        .color(&INK)
        .pos(Pos::new(HPos::Left, VPos::Center));
    for (((x, y), line), height) in ends.iter().zip(heights) {
        let from = edge + GAP;
        if line.style.joined && edge - x < MAX_LEADER {
            area.draw(&PathElement::new(
                vec![(*x, *y), (from - 6, height)],
                LEADER.stroke_width(2),
            ))?;
        }
        let stroke = line.style.colour.stroke_width(STROKE);
        let dashes = if line.style.joined {
            dashes(line.style, from, from + SAMPLE)
        } else {
            Vec::new()
        };
        for (from, to) in dashes {
            area.draw(&PathElement::new(
                vec![(from, height), (to, height)],
                stroke,
            ))?;
        }
        if has_markers(line) {
            draw_marker(area, (from + SAMPLE / 2, height), line.style)?;
        }
        area.draw(&Text::new(
            line.name.clone(),
            (from + SAMPLE + 12, height),
            centred.clone(),
        ))?;
    }
    Ok(())
}

/// Returns the dashes of a horizontal line.
fn dashes(style: LineStyle, from: i32, to: i32) -> Vec<(i32, i32)> {
    let Some((dash, gap)) = style.dash else {
        return vec![(from, to)];
    };
    let starts = (from..to).step_by((dash + gap) as usize);
    starts
        .map(|start| (start, (start + dash).min(to)))
        .collect()
}

/// Returns positions close to the wanted ones, at least [`LINE_HEIGHT`] apart.
///
/// They are within the ends if there is room. Groups that touch are centred on the mean of their wanted positions (as in
/// isotonic regression by pooling).
fn distribute(wanted: &[i32], (top, bottom): (i32, i32)) -> Vec<i32> {
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by_key(|&n| wanted[n]);
    let mut groups: Vec<(f64, usize)> = Vec::new(); // position of the first, and size
    for &n in &order {
        groups.push((f64::from(wanted[n]), 1));
        while let [.., (above, many), (below, few)] = groups[..] {
            let offset = (many as i32 * LINE_HEIGHT) as f64;
            if above + offset <= below {
                break;
            }
            groups.truncate(groups.len() - 2);
            let together = (many + few) as f64;
            groups.push((
                (above * many as f64 + (below - offset) * few as f64) / together,
                many + few,
            ));
        }
    }
    let mut positions = vec![0; wanted.len()];
    let mut order = order.into_iter();
    let mut lowest = top;
    for (index, &(first, size)) in groups.iter().enumerate() {
        let behind: usize = groups[index..].iter().map(|group| group.1).sum();
        let last_start = bottom - (behind as i32 - 1) * LINE_HEIGHT;
        let start = (first.round() as i32).min(last_start).max(lowest);
        for (n, line) in order.by_ref().take(size).zip(0..) {
            positions[n] = start + line * LINE_HEIGHT;
        }
        lowest = start + size as i32 * LINE_HEIGHT;
    }
    positions
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn names_keep_order_without_overlap(wanted in prop::collection::vec(0i32..700, 1..14)) {
            let positions = distribute(&wanted, (22, 700));
            for a in 0..wanted.len() {
                prop_assert!((22..=700).contains(&positions[a]), "{wanted:?}: {positions:?}");
                for b in 0..a {
                    prop_assert!((positions[a] - positions[b]).abs() >= LINE_HEIGHT, "{wanted:?}: {positions:?}");
                    let swapped = wanted[a] < wanted[b] && positions[a] > positions[b];
                    prop_assert!(!swapped, "{wanted:?}: {positions:?}");
                }
            }
        }
    }

    #[test]
    fn chart_grows_with_names() {
        let long = "n".repeat(60);
        let named = |n: usize| Line {
            name: format!("{long}{n}"),
            ..line(&[(0.0, 1.0), (1.0, 2.0)])
        };
        let lines: Vec<Line> = (0..40).map(named).collect();
        let svg = svg(&Chart {
            x: Axis::linear("x"),
            y: Axis::linear("y"),
            lines,
        });
        let attribute = |tag: &str, name: &str| -> i32 {
            let (_, rest) = tag.split_once(&format!(" {name}=\"")).unwrap();
            rest.split('"').next().unwrap().parse().unwrap()
        };
        let height = attribute(&svg, "height");
        let tags = svg.split("<text").skip(1).filter(|tag| tag.contains(&long));
        let mut found: Vec<(i32, i32)> = tags
            .map(|tag| (attribute(tag, "y"), attribute(tag, "x")))
            .collect();
        found.sort_unstable();
        assert_eq!(found.len(), 40);
        assert!(
            found
                .windows(2)
                .all(|pair| pair[1].0 - pair[0].0 >= LINE_HEIGHT - 1),
            "{found:?}"
        );
        assert!(
            found[0].0 > 0 && found[39].0 < height,
            "{found:?} of {height}"
        );
        assert!(found[0].1 > (LEFT + MIN_PLOT_WIDTH) as i32, "{found:?}");
    }

    #[test]
    fn distant_names_stay_in_place() {
        assert_eq!(distribute(&[300, 100, 500], (0, 700)), [300, 100, 500]);
    }

    fn line(points: &[(f64, f64)]) -> Line {
        Line {
            name: "a<b".to_owned(),
            style: LineStyle::numbered(0),
            points: points.to_vec(),
            band: vec![],
        }
    }

    /// Returns the points of the curve in an SVG of one solid line: the only polyline with this number of points.
    fn drawn(chart: &Chart, points: usize) -> Vec<(i32, i32)> {
        let svg = svg(chart);
        let lists = svg
            .split("points=\"")
            .skip(1)
            .map(|rest| rest.split('"').next().unwrap());
        let mut lists = lists.map(|list| {
            let point = |point: &str| {
                let (x, y) = point.split_once(',').unwrap();
                (x.parse().unwrap(), y.parse().unwrap())
            };
            list.split_whitespace()
                .map(point)
                .collect::<Vec<(i32, i32)>>()
        });
        lists
            .find(|list| list.len() == points)
            .expect("a polyline with this number of points")
    }

    #[test]
    fn logarithmic_axis_spaces_decades_evenly() {
        let points = [(1.0, 10.0), (10.0, 20.0), (100.0, 90.0), (0.0, 50.0)];
        let chart = Chart {
            x: Axis::logarithmic("s"),
            y: Axis::linear("%"),
            lines: vec![line(&points)],
        };
        let found = drawn(&chart, 3); // 0 has no position
        assert!(
            (found[1].0 - found[0].0 - (found[2].0 - found[1].0)).abs() <= 1,
            "{found:?}"
        );
        assert!(
            found[0].1 > found[1].1 && found[1].1 > found[2].1,
            "{found:?}"
        );
        let per_point = f64::from(found[0].1 - found[2].1) / 80.0;
        assert!(
            (f64::from(found[0].1 - found[1].1) - 10.0 * per_point).abs() <= 1.0,
            "{found:?}"
        );
    }

    #[test]
    fn names_are_escaped() {
        let chart = Chart {
            x: Axis::linear("x"),
            y: Axis::linear("y"),
            lines: vec![line(&[(0.0, 1.0), (1.0, 2.0)])],
        };
        assert!(svg(&chart).contains("a&lt;b"));
    }

    #[test]
    fn empty_line_is_drawn() {
        let empty = Chart {
            x: Axis::linear("x"),
            y: Axis::linear("y"),
            lines: vec![line(&[])],
        };
        assert!(svg(&empty).ends_with("</svg>\n"));
    }
}
