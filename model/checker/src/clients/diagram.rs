//! A space-time diagram of a path of the client model: two clients, two servers and the leader as vertical lines, what
//! passes between them as arrows, and at the right what each step did.

use super::state::{Action, State};

const LANES: [&str; 5] = ["client 0", "server 0", "leader", "server 1", "client 1"];
const LEADER: usize = 2;
const LANE: i32 = 110;
const ROW: i32 = 26;
const TOP: i32 = 46;
const LEFT: i32 = 70;

fn client(number: u8) -> usize {
    if number == 0 { 0 } else { 4 }
}

fn server(number: u8) -> usize {
    if number == 0 { 1 } else { 3 }
}

fn x(lane: usize) -> i32 {
    LEFT + lane as i32 * LANE
}

/// `says` has the words of each step, `violated` the properties that the last state violates.
pub(super) fn draw(
    steps: &[(State, Option<Action>)],
    says: &[String],
    violated: &[&str],
) -> String {
    let bottom = TOP + (says.len() as i32 + 1) * ROW;
    let words = x(LANES.len() - 1) + 60;
    let (width, height) = (words + 760, bottom + 40);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
         font-family=\"sans-serif\" font-size=\"11\"><defs><marker id=\"tip\" orient=\"auto\" markerWidth=\"8\" \
         markerHeight=\"8\" refX=\"7\" refY=\"3\"><path d=\"M0,0 L7,3 L0,6 z\" fill=\"#444\"/></marker></defs>\
         <rect width=\"{width}\" height=\"{height}\" fill=\"white\"/>"
    );
    for (lane, title) in LANES.iter().enumerate() {
        let x = x(lane);
        svg.push_str(&format!(
            "<text x=\"{x}\" y=\"20\" text-anchor=\"middle\" font-weight=\"bold\">{title}</text>\
             <line x1=\"{x}\" y1=\"30\" x2=\"{x}\" y2=\"{bottom}\" stroke=\"#bbb\" stroke-width=\"3\"/>"
        ));
    }
    for (row, ((state, action), says)) in steps.iter().zip(says).enumerate() {
        let y = TOP + (row as i32 + 1) * ROW;
        if let Some(action) = action {
            draw_action(&mut svg, state, action, y);
        }
        svg.push_str(&format!(
            "<text x=\"4\" y=\"{0}\" fill=\"#999\">{1}</text><text x=\"{words}\" y=\"{0}\" fill=\"#222\">{2}</text>",
            y + 4,
            row + 1,
            escape(&says.replace("\n ", ":"))
        ));
    }
    if !violated.is_empty() {
        svg.push_str(&format!(
            "<text x=\"4\" y=\"{}\" fill=\"#c00000\" font-size=\"14\" font-weight=\"bold\">violates {}</text>",
            height - 12,
            violated.join(" ")
        ));
    }
    svg.push_str("</svg>");
    svg
}

fn draw_action(svg: &mut String, state: &State, action: &Action, y: i32) {
    let attached = |number: u8| state.clients[usize::from(number)].server.map(server);
    match action {
        Action::Issue { client: it } | Action::Retry { client: it } => {
            arrow(svg, Some(client(*it)), attached(*it), y);
        }
        Action::Answer { client: it, .. } => arrow(svg, attached(*it), Some(client(*it)), y),
        Action::Take { server: it, .. } => arrow(svg, Some(server(*it)), Some(LEADER), y),
        Action::Connect {
            client: it,
            server: to,
        } => arrow(svg, Some(client(*it)), Some(server(*to)), y),
        Action::Commit => mark(svg, LEADER, y, "&#9679;", "#7b2fa8"),
        Action::Apply { server: it } => mark(svg, server(*it), y, "&#9632;", "#18864b"),
        Action::Notify { server: it } => mark(svg, server(*it), y, "&#9873;", "#1666b0"),
        Action::Break { client: it } => mark(svg, client(*it), y, "&#8856;", "#c00000"),
        Action::Expire { .. } => mark(svg, LEADER, y, "&#10006;", "#c00000"),
    }
}

fn arrow(svg: &mut String, from: Option<usize>, to: Option<usize>, y: i32) {
    if let (Some(from), Some(to)) = (from, to) {
        svg.push_str(&format!(
            "<line x1=\"{}\" y1=\"{y}\" x2=\"{}\" y2=\"{y}\" stroke=\"#444\" marker-end=\"url(#tip)\"/>",
            x(from),
            x(to)
        ));
    }
}

fn mark(svg: &mut String, lane: usize, y: i32, sign: &str, colour: &str) {
    svg.push_str(&format!(
        "<text x=\"{}\" y=\"{}\" fill=\"{colour}\" text-anchor=\"middle\" font-size=\"14\">{sign}</text>",
        x(lane),
        y + 5
    ));
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
