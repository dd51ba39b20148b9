//! A space-time diagram of a path: servers as vertical lines, messages as arrows, what happened as marks.

use zab::{Policy, RoleKind};

use super::link::parts;
use super::say;
use super::server::{Server, id_of};
use super::state::{Action, End, State};

const LANE: i32 = 220;
const ROW: i32 = 26;
const TOP: i32 = 46;
const LEFT: i32 = 150;

fn lane(server: usize) -> i32 {
    LEFT + server as i32 * LANE
}

fn row(step: usize) -> i32 {
    TOP + (step as i32 + 1) * ROW
}

/// A message on its way: when it was sent, from where, what.
struct Flight {
    link: u64,
    to: End,
    sent: usize,
    text: String,
}

/// `violated` are the properties that the last state violates.
pub(super) fn draw<P: Policy>(steps: &[(State<P>, Option<Action>)], violated: &[&str]) -> String {
    let servers = steps.first().map_or(0, |(state, _)| state.servers.len());
    let height = row(steps.len()) + 2 * ROW;
    let width = lane(servers) + 60;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
         font-family=\"sans-serif\" font-size=\"11\"><defs><marker id=\"tip\" orient=\"auto\" markerWidth=\"8\" \
         markerHeight=\"8\" refX=\"7\" refY=\"3\"><path d=\"M0,0 L7,3 L0,6 z\" fill=\"#444\"/></marker>\
         <style>text {{ paint-order: stroke; stroke: white; stroke-width: 3px }}</style></defs>\
         <rect width=\"{width}\" height=\"{height}\" fill=\"white\"/>"
    );
    for server in 0..servers {
        draw_lane(&mut svg, steps, server);
    }
    let mut flights = Vec::new();
    for (index, pair) in steps.windows(2).enumerate() {
        let after = &pair[1].0;
        if let Some(action) = &pair[0].1 {
            draw_action(&mut svg, &pair[0].0, action, index, &mut flights);
            svg.push_str(&format!(
                "<text x=\"4\" y=\"{}\" fill=\"#999\">{}</text>",
                row(index) + 4,
                index + 1
            ));
        }
        take_off(after, index, &mut flights);
    }
    for flight in flights {
        draw_lost(&mut svg, &flight);
    }
    if !violated.is_empty() {
        svg.push_str(&format!(
            "<text x=\"4\" y=\"{}\" fill=\"#c00000\" font-size=\"14\" font-weight=\"bold\">violates {}</text>",
            height - 10,
            violated.join(" ")
        ));
    }
    svg.push_str("</svg>");
    svg
}

/// The line of a server, coloured by its phase.
fn draw_lane<P: Policy>(svg: &mut String, steps: &[(State<P>, Option<Action>)], server: usize) {
    let x = lane(server);
    svg.push_str(&format!("<text x=\"{x}\" y=\"20\" text-anchor=\"middle\" font-size=\"14\" font-weight=\"bold\">{}</text>",
        id_of(server).0
    ));
    for (index, (state, _)) in steps.iter().enumerate() {
        let (colour, label) = look_of(&state.servers[server]);
        let (from, to) = (row(index) - ROW, row(index));
        svg.push_str(&format!("<line x1=\"{x}\" y1=\"{from}\" x2=\"{x}\" y2=\"{to}\" stroke=\"{colour}\" stroke-width=\"5\"/>"
        ));
        let new =
            index == 0 || look_of(&steps[index - 1].0.servers[server]) != (colour, label.clone());
        if new {
            svg.push_str(&format!(
                "<text x=\"{}\" y=\"{}\" fill=\"{colour}\" text-anchor=\"end\" font-weight=\"bold\">{label}</text>",
                x - 8,
                from + ROW / 2 + 4
            ));
        }
    }
}

fn look_of<P: Policy>(server: &Server<P>) -> (&'static str, String) {
    let Some(peer) = &server.peer else {
        return ("#bbbbbb", "down".to_owned());
    };
    let status = peer.status();
    let epoch = status
        .epoch
        .map_or(String::new(), |epoch| format!(" {epoch}"));
    let role = match status.role {
        RoleKind::Looking => return ("#888888", "looking".to_owned()),
        RoleKind::Following => "follows",
        RoleKind::Leading => "LEADS",
        RoleKind::Observing => "observes",
    };
    let (colour, phase) = match status.phase {
        zab::Phase::Election => ("#888888", ""),
        zab::Phase::Discovery => ("#c77c02", "discovery"),
        zab::Phase::Synchronisation => ("#1666b0", "sync"),
        zab::Phase::Broadcast => ("#18864b", "broadcast"),
    };
    (colour, format!("{role}{epoch} {phase}"))
}

fn draw_action<P: Policy>(
    svg: &mut String,
    before: &State<P>,
    action: &Action,
    index: usize,
    flights: &mut Vec<Flight>,
) {
    match action {
        Action::Deliver { link, at } => {
            if let Some(place) = flights
                .iter()
                .position(|flight| flight.link == *link && flight.to == *at)
            {
                let flight = flights.remove(place);
                draw_arrow(svg, &flight, index);
            }
        }
        Action::DiskStep { server } => {
            let queue = &before.servers[usize::from(*server)].disk.queue;
            let text = queue
                .front()
                .map_or(String::new(), |it| say::write_name(&it.write));
            mark(svg, *server, index, "&#9632;", "#555", &text)
        }
        Action::Crash { server, .. } => mark(svg, *server, index, "&#10006;", "#c00000", "crash"),
        Action::Restart { server } => mark(svg, *server, index, "&#9650;", "#18864b", "restart"),
        Action::Wipe { server } => mark(svg, *server, index, "&#9675;", "#c00000", "wiped"),
        Action::Propose { leader } => mark(svg, *leader, index, "&#9679;", "#7b2fa8", "txn"),
        Action::Ask { server } => mark(svg, *server, index, "&#9679;", "#7b2fa8", "sync"),
        Action::Elect { leader, .. } => mark(
            svg,
            *leader,
            index,
            "&#9733;",
            "#c77c02",
            &say::action(action),
        ),
        Action::Establish { leader } => {
            mark(
                svg,
                *leader,
                index,
                "&#9733;",
                "#c77c02",
                &say::action(action),
            );
        }
        Action::Join { follower, .. } => mark(
            svg,
            *follower,
            index,
            "&#9733;",
            "#c77c02",
            &say::action(action),
        ),
        Action::Connect { learner, .. } => mark(
            svg,
            *learner,
            index,
            "&#8226;",
            "#444",
            &say::action(action),
        ),
        Action::Notice { from, to } => {
            let pair = usize::from(*from) * before.servers.len() + usize::from(*to);
            let text = before.mail[pair].as_ref().map_or(String::new(), say::vote);
            arrow(
                svg,
                (usize::from(*from), index),
                (usize::from(*to), index),
                &text,
            );
        }
        Action::Expire { server, .. } => mark(
            svg,
            *server,
            index,
            "&#9670;",
            "#c00000",
            &say::action(action),
        ),
        Action::Break {
            link,
            at: End::Learner,
        }
        | Action::NoticeClose {
            link,
            at: End::Learner,
        } => {
            mark(
                svg,
                ends(*link).0,
                index,
                "&#8856;",
                "#c00000",
                &say::action(action),
            );
        }
        Action::Break {
            link,
            at: End::Leader,
        }
        | Action::NoticeClose {
            link,
            at: End::Leader,
        } => {
            mark(
                svg,
                ends(*link).1,
                index,
                "&#8856;",
                "#c00000",
                &say::action(action),
            );
        }
    }
}

fn ends(link: u64) -> (u8, u8) {
    parts(link).map_or((0, 0), |(learner, leader, _)| (learner as u8, leader as u8))
}

fn mark(svg: &mut String, server: u8, index: usize, sign: &str, colour: &str, text: &str) {
    let (x, y) = (lane(usize::from(server)), row(index));
    svg.push_str(&format!("<text x=\"{x}\" y=\"{}\" fill=\"{colour}\" text-anchor=\"middle\" font-size=\"13\">{sign}</text>\
         <text x=\"{}\" y=\"{}\" fill=\"{colour}\">{}</text>",
        y + 5,
        x + 10,
        y + 4,
        escape(text)
    ));
}

/// The messages that a step put on links.
fn take_off<P: Policy>(after: &State<P>, index: usize, flights: &mut Vec<Flight>) {
    for link in &after.links {
        for (to, now) in [
            (End::Learner, &link.at_learner),
            (End::Leader, &link.at_leader),
        ] {
            let known = flights
                .iter()
                .filter(|flight| flight.link == link.id.0 && flight.to == to)
                .count();
            for frame in now.inbox.iter().skip(known) {
                flights.push(Flight {
                    link: link.id.0,
                    to,
                    sent: index,
                    text: say::message(&frame.message),
                });
            }
        }
    }
}

fn draw_arrow(svg: &mut String, flight: &Flight, arrived: usize) {
    let (learner, leader) = ends(flight.link);
    let (from, to) = if flight.to == End::Learner {
        (leader, learner)
    } else {
        (learner, leader)
    };
    arrow(
        svg,
        (usize::from(from), flight.sent),
        (usize::from(to), arrived),
        &flight.text,
    );
}

/// From and to: server and step.
fn arrow(svg: &mut String, from: (usize, usize), to: (usize, usize), text: &str) {
    let (x1, x2) = (lane(from.0), lane(to.0));
    let (y1, y2) = (row(from.1), row(to.1));
    let edge = if x2 > x1 { -4 } else { 4 };
    svg.push_str(&format!("<line x1=\"{x1}\" y1=\"{y1}\" x2=\"{}\" y2=\"{y2}\" stroke=\"#444\" marker-end=\"url(#tip)\"/>\
         <text x=\"{}\" y=\"{}\" text-anchor=\"middle\" fill=\"#222\">{}</text>",
        x2 + edge,
        x1 + (x2 - x1) * 3 / 5,
        y1 + (y2 - y1) * 3 / 5 - 3,
        escape(text)
    ));
}

/// A message that had not arrived when the path ends.
fn draw_lost(svg: &mut String, flight: &Flight) {
    let (learner, leader) = ends(flight.link);
    let (from, to) = if flight.to == End::Learner {
        (leader, learner)
    } else {
        (learner, leader)
    };
    let (x1, x2) = (lane(usize::from(from)), lane(usize::from(to)));
    let y = row(flight.sent);
    let x = x1 + (x2 - x1) / 5;
    svg.push_str(&format!("<line x1=\"{x1}\" y1=\"{y}\" x2=\"{x}\" y2=\"{}\" stroke=\"#aaa\" stroke-dasharray=\"3 2\"/>\
         <text x=\"{x}\" y=\"{}\" fill=\"#999\">{}</text>",
        y + 8,
        y + 14,
        escape(&flight.text)
    ));
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
