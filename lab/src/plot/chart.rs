//! Line charts.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::axis::{Axis, Placed};
use super::style::{FONT, FONT_SIZE, GRID, INK, LEADER, Look, Mark, STROKE};

/// Pixels of a chart, at least; and of its plot from side to side, at least.
const SIZE: (u32, u32) = (1200, 800);
const PLOT_WIDTH: u32 = 600;
/// Pixels under the plot for numbers and label, left of it, and above it.
const BELOW: u32 = 112;
const LEFT: u32 = 140;
const MARGIN: u32 = 12;
const ABOVE: u32 = 24;
/// Pixels from the plot to the names, and of the line that a name begins with.
const GAP: i32 = 34;
const SAMPLE: i32 = 80;
/// Pixels from one name to the next, at least.
const LINE_HEIGHT: i32 = 44;
/// Pixels from the end of a line to the edge of the plot, up to which a thin line leads on to its name; a longer one would
/// lie across other lines.
const NEAR_EDGE: i32 = 80;
/// Pixels of a letter, about.
const LETTER: usize = 20;
/// Most points of a line that has marks.
const MARKED: usize = 12;

/// A line of a chart.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Its name.
    pub name: String,
    /// What it looks like.
    pub look: Look,
    /// Where it goes through.
    pub points: Vec<(f64, f64)>,
    /// Half the height of the band around it, point by point; empty: it has none.
    pub around: Vec<f64>,
}

/// A chart.
#[derive(Clone, Debug, PartialEq)]
pub struct Chart {
    /// Below.
    pub x: Axis,
    /// At the left.
    pub y: Axis,
    /// Lines; later ones lie over earlier ones.
    pub lines: Vec<Line>,
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;
type Failed<'a> = DrawingAreaErrorKind<<SVGBackend<'a> as DrawingBackend>::ErrorType>;

/// The chart as SVG.
pub fn svg(chart: &Chart) -> String {
    let letters = chart.lines.iter().map(|line| line.name.chars().count()).max().unwrap_or(0);
    let right = GAP as u32 + SAMPLE as u32 + (letters * LETTER) as u32 + 20;
    let width = SIZE.0.max(MARGIN + LEFT + PLOT_WIDTH + right);
    let height = SIZE.1.max(ABOVE + chart.lines.len() as u32 * LINE_HEIGHT as u32 + BELOW);
    let mut text = String::new();
    let area = SVGBackend::with_string(&mut text, (width, height)).into_drawing_area();
    draw(chart, &area, right).expect("a String takes everything");
    drop(area);
    text
}

/// Draws it, with so many pixels right of the plot for the names.
fn draw<'a>(chart: &Chart, area: &Area<'a>, right: u32) -> Result<(), Failed<'a>> {
    area.fill(&WHITE)?;
    let points = || chart.lines.iter().flat_map(|line| &line.points);
    let (x, y) = (chart.x.place(points().map(|p| p.0)), chart.y.place(points().map(|p| p.1)));
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
        let places = places(line, &x, &y);
        let band = band(line, &x, &y);
        context.draw_series([Polygon::new(band, line.look.colour.mix(0.15))])?;
        draw_line(&mut context, &places, line.look)?;
        if is_marked(line) {
            for place in &places {
                draw_mark(area, context.backend_coord(place), line.look)?;
            }
        }
        ends.extend(places.last().map(|end| (context.backend_coord(end), line)));
    }
    draw_names(area, &ends, right)
}

fn places(line: &Line, x: &Placed, y: &Placed) -> Vec<(f64, f64)> {
    line.points.iter().filter_map(|&(a, b)| x.place(a).zip(y.place(b))).collect()
}

/// The outline of the band around a line.
fn band(line: &Line, x: &Placed, y: &Placed) -> Vec<(f64, f64)> {
    let edge = |side: f64| {
        let points = line.points.iter().zip(&line.around);
        let place = move |(&(a, b), around): (&(f64, f64), &f64)| {
            let (a, b) = x.place(a).zip(y.place(b + side * around))?;
            Some((a, b.clamp(y.ends.0, y.ends.1)))
        };
        points.filter_map(place).collect::<Vec<_>>()
    };
    let (upper, lower) = (edge(1.0), edge(-1.0));
    upper.into_iter().chain(lower.into_iter().rev()).collect()
}

type Context<'a, 'b> = ChartContext<'b, SVGBackend<'a>, Cartesian2d<Placed, Placed>>;

fn draw_line<'a>(context: &mut Context<'a, '_>, places: &[(f64, f64)], look: Look) -> Result<(), Failed<'a>> {
    let (style, points) = (look.colour.stroke_width(STROKE), places.iter().copied());
    match look.dash {
        _ if !look.joined => {}
        None => _ = context.draw_series(LineSeries::new(points, style))?,
        Some((dash, gap)) => _ = context.draw_series(DashedLineSeries::new(points, dash, gap, style))?,
    }
    Ok(())
}

/// Whether each point of a line has a mark.
fn is_marked(line: &Line) -> bool {
    line.points.len() <= MARKED || !line.look.joined
}

fn draw_mark<'a>(area: &Area<'a>, (x, y): (i32, i32), look: Look) -> Result<(), Failed<'a>> {
    let size = if look.joined { 11 } else { 8 };
    let style = look.colour.filled();
    match look.mark {
        None => Ok(()),
        Some(Mark::Disc) => area.draw(&Circle::new((x, y), size, style)),
        Some(Mark::Square) => {
            let corners = [(x - size + 1, y - size + 1), (x + size - 1, y + size - 1)];
            area.draw(&Rectangle::new(corners, style))
        }
        Some(Mark::Triangle) => area.draw(&TriangleMarker::new((x, y), size + 3, style)),
        Some(Mark::Cross) => area.draw(&Cross::new((x, y), size - 1, look.colour.stroke_width(STROKE))),
    }
}

/// Names right of the plot, as close to the ends of their lines as they can be without touching each other.
fn draw_names<'a>(area: &Area<'a>, ends: &[((i32, i32), &Line)], right: u32) -> Result<(), Failed<'a>> {
    let (width, height) = area.dim_in_pixel();
    let edge = width as i32 - right as i32;
    let wanted: Vec<i32> = ends.iter().map(|((_, y), _)| *y).collect();
    let heights = spread(&wanted, (LINE_HEIGHT / 2, height as i32 - BELOW as i32 + LINE_HEIGHT / 2));
    let centred = (FONT, FONT_SIZE).into_font().color(&INK).pos(Pos::new(HPos::Left, VPos::Center));
    for (((x, y), line), height) in ends.iter().zip(heights) {
        let from = edge + GAP;
        if line.look.joined && edge - x < NEAR_EDGE {
            area.draw(&PathElement::new(vec![(*x, *y), (from - 6, height)], LEADER.stroke_width(2)))?;
        }
        let style = line.look.colour.stroke_width(STROKE);
        let dashes = if line.look.joined { dashes(line.look, from, from + SAMPLE) } else { Vec::new() };
        for (from, to) in dashes {
            area.draw(&PathElement::new(vec![(from, height), (to, height)], style))?;
        }
        if is_marked(line) {
            draw_mark(area, (from + SAMPLE / 2, height), line.look)?;
        }
        area.draw(&Text::new(line.name.clone(), (from + SAMPLE + 12, height), centred.clone()))?;
    }
    Ok(())
}

/// The dashes of a horizontal line.
fn dashes(look: Look, from: i32, to: i32) -> Vec<(i32, i32)> {
    let Some((dash, gap)) = look.dash else { return vec![(from, to)] };
    let starts = (from..to).step_by((dash + gap) as usize);
    starts.map(|start| (start, (start + dash).min(to))).collect()
}

/// Places near the wanted ones, [`LINE_HEIGHT`] apart at least and, as long as there is room, within the ends: groups that
/// touch are centred on the mean of what they want (as in isotonic regression by pooling).
fn spread(wanted: &[i32], (top, bottom): (i32, i32)) -> Vec<i32> {
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by_key(|&n| wanted[n]);
    let mut groups: Vec<(f64, usize)> = Vec::new(); // where the first of so many lies
    for &n in &order {
        groups.push((f64::from(wanted[n]), 1));
        while let [.., (above, many), (below, few)] = groups[..] {
            let offset = (many as i32 * LINE_HEIGHT) as f64;
            if above + offset <= below {
                break;
            }
            groups.truncate(groups.len() - 2);
            let together = (many + few) as f64;
            groups.push(((above * many as f64 + (below - offset) * few as f64) / together, many + few));
        }
    }
    let mut places = vec![0; wanted.len()];
    let (mut order, mut lowest) = (order.into_iter(), top);
    for (index, &(first, size)) in groups.iter().enumerate() {
        let behind: usize = groups[index..].iter().map(|group| group.1).sum();
        let last_start = bottom - (behind as i32 - 1) * LINE_HEIGHT;
        let start = (first.round() as i32).min(last_start).max(lowest);
        for (n, place) in order.by_ref().take(size).zip(0..) {
            places[n] = start + place * LINE_HEIGHT;
        }
        lowest = start + size as i32 * LINE_HEIGHT;
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn names_do_not_touch_keep_their_order_and_stay_on_the_plot(wanted in prop::collection::vec(0i32..700, 1..14)) {
            let places = spread(&wanted, (22, 700));
            for a in 0..wanted.len() {
                prop_assert!((22..=700).contains(&places[a]), "{wanted:?}: {places:?}");
                for b in 0..a {
                    prop_assert!((places[a] - places[b]).abs() >= LINE_HEIGHT, "{wanted:?}: {places:?}");
                    let swapped = wanted[a] < wanted[b] && places[a] > places[b];
                    prop_assert!(!swapped, "{wanted:?}: {places:?}");
                }
            }
        }
    }

    #[test]
    fn as_many_names_as_there_are_have_a_place_each_and_leave_the_plot_its_width() {
        let long = "n".repeat(60);
        let named = |n: usize| Line { name: format!("{long}{n}"), ..line(&[(0.0, 1.0), (1.0, 2.0)]) };
        let lines: Vec<Line> = (0..40).map(named).collect();
        let svg = svg(&Chart { x: Axis::linear("x"), y: Axis::linear("y"), lines });
        let of = |tag: &str, name: &str| -> i32 {
            let (_, rest) = tag.split_once(&format!(" {name}=\"")).unwrap();
            rest.split('"').next().unwrap().parse().unwrap()
        };
        let height = of(&svg, "height");
        let tags = svg.split("<text").skip(1).filter(|tag| tag.contains(&long));
        let mut places: Vec<(i32, i32)> = tags.map(|tag| (of(tag, "y"), of(tag, "x"))).collect();
        places.sort_unstable();
        assert_eq!(places.len(), 40);
        assert!(places.windows(2).all(|pair| pair[1].0 - pair[0].0 >= LINE_HEIGHT - 1), "{places:?}");
        assert!(places[0].0 > 0 && places[39].0 < height, "{places:?} of {height}");
        assert!(places[0].1 > (LEFT + PLOT_WIDTH) as i32, "{places:?}");
    }

    #[test]
    fn names_with_room_are_where_their_lines_end() {
        assert_eq!(spread(&[300, 100, 500], (0, 700)), [300, 100, 500]);
    }

    fn line(points: &[(f64, f64)]) -> Line {
        Line { name: "a<b".to_owned(), look: Look::of(0), points: points.to_vec(), around: vec![] }
    }

    /// Points of the curve in an SVG of one whole line: it is the only polyline in its colour with so many points.
    fn drawn(chart: &Chart, points: usize) -> Vec<(i32, i32)> {
        let svg = svg(chart);
        let lists = svg.split("points=\"").skip(1).map(|rest| rest.split('"').next().unwrap());
        let mut lists = lists.map(|list| {
            let point = |point: &str| {
                let (x, y) = point.split_once(',').unwrap();
                (x.parse().unwrap(), y.parse().unwrap())
            };
            list.split_whitespace().map(point).collect::<Vec<(i32, i32)>>()
        });
        lists.find(|list| list.len() == points).expect("a polyline with so many points")
    }

    #[test]
    fn decades_are_evenly_apart_and_more_is_higher() {
        let points = [(1.0, 10.0), (10.0, 20.0), (100.0, 90.0), (0.0, 50.0)];
        let chart = Chart { x: Axis::logarithmic("s"), y: Axis::linear("%"), lines: vec![line(&points)] };
        let found = drawn(&chart, 3); // there is no place for 0
        assert!((found[1].0 - found[0].0 - (found[2].0 - found[1].0)).abs() <= 1, "{found:?}");
        assert!(found[0].1 > found[1].1 && found[1].1 > found[2].1, "{found:?}");
        let per_point = f64::from(found[0].1 - found[2].1) / 80.0;
        assert!((f64::from(found[0].1 - found[1].1) - 10.0 * per_point).abs() <= 1.0, "{found:?}");
    }

    #[test]
    fn a_name_cannot_break_out_of_its_text_and_nothing_is_drawn_of_nothing() {
        let chart = Chart {
            x: Axis::linear("x"),
            y: Axis::linear("y"),
            lines: vec![line(&[(0.0, 1.0), (1.0, 2.0)])],
        };
        assert!(svg(&chart).contains("a&lt;b"));
        let empty = Chart { lines: vec![line(&[])], ..chart };
        assert!(svg(&empty).ends_with("</svg>\n"));
    }
}
