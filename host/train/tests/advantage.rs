//! Advantages against TRL's and against the paper's equation.

mod common;

use common::{fixture, tensor};
use omni_record::{Component, ReasonKind, Undefined, Value};
use omni_train::advantage::{advantages, is_zero_variance};
use omni_train::config::{Advantage, Scale, UndefinedRule};
use omni_train::reward::{ComponentSpec, RewardSpec};
use proptest::prelude::*;
use safetensors::SafeTensors;

const SETS: [&str; 4] = ["plain", "zerovar", "multi", "single"];

/// The rewards of a set through the project's own weighing, in groups of four.
fn rewards(file: &SafeTensors<'_>, set: &str) -> Vec<Vec<Option<f64>>> {
    let (shape, scores) = tensor(file, &format!("{set}.rewards_per_func"));
    let (_, weights) = tensor(file, &format!("{set}.weights"));
    let components = weights
        .iter()
        .enumerate()
        .map(|(i, w)| ComponentSpec {
            name: i.to_string(),
            weight: *w,
            primary: true,
            required: None,
        })
        .collect();
    let spec = RewardSpec { components, undefined: UndefinedRule::Omit, metric: "0".into() };
    let component = |(i, score): (usize, &f64)| Component {
        name: i.to_string(),
        value: if score.is_nan() {
            Value::Undefined(Undefined { kind: ReasonKind::Plugin, message: String::new() })
        } else {
            Value::Scored(*score)
        },
    };
    let rows: Vec<Option<f64>> = scores
        .chunks(shape[1])
        .map(|row| {
            spec.outcome(&row.iter().enumerate().map(component).collect::<Vec<_>>()).reward()
        })
        .collect();
    rows.chunks(4).map(<[_]>::to_vec).collect()
}

fn close(ours: &[Vec<f64>], theirs: &[f64], tolerance: f64, what: &str) {
    for (i, (a, b)) in ours.iter().flatten().zip(theirs).enumerate() {
        assert!((a - b).abs() <= tolerance, "{what}[{i}]: {a} instead of {b}");
    }
}

#[test]
fn agree_with_trl_and_with_the_paper() {
    let bytes = std::fs::read(fixture("c_advantages.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    for set in SETS {
        let rewards = rewards(&file, set);
        let (_, valid) = tensor(&file, &format!("{set}.valid"));
        let ours: Vec<f64> =
            rewards.iter().flatten().map(|r| f64::from(u8::from(r.is_some()))).collect();
        assert_eq!(ours, valid, "{set}: which outputs are valid");

        let trl = Advantage { ddof: 1, eps: 1e-4, scale: Scale::Group, ..Advantage::default() };
        let key = format!("{set}.adv_trl_f64");
        close(&advantages(&rewards, &trl), &tensor(&file, &key).1, 1e-12, &key);
        for (scale, name) in [(Scale::Batch, "batch"), (Scale::None, "none")] {
            let key = format!("{set}.adv_trl_scale_{name}_f32");
            let ours = advantages(&rewards, &Advantage { scale, ..trl.clone() });
            close(&ours, &tensor(&file, &key).1, 5e-6, &key);
        }
        for ddof in [0, 1] {
            for eps in ["1e-04", "1e-06", "1e-08"] {
                let settings = Advantage {
                    ddof,
                    eps: eps.parse().unwrap(),
                    scale: Scale::Group,
                    ..Advantage::default()
                };
                let key = format!("{set}.adv_paper_ddof{ddof}_eps{eps}");
                close(&advantages(&rewards, &settings), &tensor(&file, &key).1, 1e-9, &key);
            }
        }
    }
}

#[test]
fn without_eps_a_group_without_variance_gives_zero_in_spite_of_rounding() {
    let literal = Advantage { ddof: 0, eps: 0.0, scale: Scale::Group, ..Advantage::default() };
    let group = vec![Some(0.1 + 0.2); 3];
    assert!(is_zero_variance(&group));
    assert_eq!(advantages(&[group], &literal), [[0.0; 3]]);
    assert!(!is_zero_variance(&[None, None]), "nothing valid is not a group without variance");
}

#[test]
fn one_valid_output_gives_zero() {
    let out = advantages(
        &[vec![None, Some(1.0), None]],
        &Advantage { ddof: 0, eps: 0.0, scale: Scale::None, ..Advantage::default() },
    );
    assert_eq!(out, [[0.0; 3]]);
}

proptest! {
    /// Excluded outputs change nothing: the others have what they would have without them.
    #[test]
    fn excluded_outputs_take_part_in_nothing(
        group in prop::collection::vec(prop::option::of(-1.0f64..1.0), 1..12), ddof in 0u32..2,
    ) {
        let settings = Advantage { ddof, eps: 1e-4, scale: Scale::Group, ..Advantage::default() };
        let kept: Vec<Option<f64>> = group.iter().copied().filter(Option::is_some).collect();
        let with = &advantages(std::slice::from_ref(&group), &settings)[0];
        let without = &advantages(&[kept], &settings)[0];
        let of_kept: Vec<f64> = with.iter().zip(&group).filter(|(_, r)| r.is_some()).map(|(a, _)| *a).collect();
        prop_assert_eq!(&of_kept, without);
        prop_assert!(with.iter().zip(&group).all(|(a, r)| r.is_some() || *a == 0.0));
    }
}
