//! Every stored counterexample can be opened in stateright's Explorer, with text and a diagram.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use stateright::Model;
use zab_checker::catalogue::{self, Job};
use zab_checker::counterexample::Counterexample;
use zab_checker::run::{Leash, Subject};

struct Open<'a>(&'a Counterexample);

impl Job for Open<'_> {
    type Output = ();

    fn run<S: Subject>(self, subject: S) {
        let address = self.0.explorer_path(&subject).unwrap();
        let mut places = address
            .strip_prefix("#/steps/")
            .unwrap()
            .split('/')
            .map(|it| it.parse::<usize>().unwrap());
        let model = Leash::new(subject);
        let mut state = model.init_states().swap_remove(places.next().unwrap());
        let mut steps = Vec::new();
        for place in places {
            let mut actions = Vec::new();
            model.actions(&state, &mut actions);
            let action = actions.swap_remove(place);
            let says = model.format_action(&action);
            let told = model.format_step(&state, action.clone()).unwrap();
            assert!(told.starts_with(&says), "{told}");
            let next = model.next_state(&state, action.clone()).unwrap();
            steps.push((std::mem::replace(&mut state, next), Some(action)));
        }
        assert_eq!(steps.len(), self.0.actions.len());
        assert!(self.0.still_violates(&model.subject.violations(&state)));
        assert!(format!("{state:#?}").lines().count() > 3);
        steps.push((state, None));
        let svg = model.subject.draw(&steps).unwrap();
        assert!(svg.starts_with("<svg") && svg.ends_with("</svg>"));
        assert!(svg.contains("violates "), "{svg}");
    }
}

#[test]
fn stored_counterexamples_can_be_opened() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/counterexamples");
    for entry in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        let stored: Counterexample = serde_json::from_str(&text).unwrap();
        catalogue::with(&stored.setup.clone(), Open(&stored)).unwrap();
    }
}
