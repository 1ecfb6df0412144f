//! Advantages against TRL's and against the paper's equation.

mod common;

use common::{fixture, tensor};
use omni_record::{Component, ReasonKind, Undefined, Value};
use omni_train::advantage::{ComponentGroup, advantages, gdpo, is_zero_variance};
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

/// The components of a set, in groups of four; rows without any score are excluded.
fn groups(file: &SafeTensors<'_>, set: &str) -> Vec<ComponentGroup> {
    let (shape, scores) = tensor(file, &format!("{set}.rewards_per_func"));
    let (_, weights) = tensor(file, &format!("{set}.weights"));
    let row = |row: &[f64]| {
        let row: Vec<Option<f64>> = row.iter().map(|s| (!s.is_nan()).then_some(*s)).collect();
        row.iter().any(Option::is_some).then_some(row)
    };
    let rows: Vec<Option<Vec<Option<f64>>>> = scores.chunks(shape[1]).map(row).collect();
    let group = |outputs: &[Option<Vec<Option<f64>>>]| ComponentGroup {
        weights: weights.clone(),
        outputs: outputs.to_vec(),
    };
    rows.chunks(4).map(group).collect()
}

#[test]
fn gdpo_agrees_with_trl() {
    let bytes = std::fs::read(fixture("c_advantages.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    for set in SETS {
        let key = format!("{set}.adv_trl_normalize_then_sum_f32");
        let ours = gdpo(&groups(&file, set), &Advantage::default());
        close(&ours, &tensor(&file, &key).1, 5e-6, &key);
    }
}

/// `[output][component]`, all defined.
fn group(weights: &[f64], outputs: &[[f64; 2]]) -> ComponentGroup {
    ComponentGroup {
        weights: weights.to_vec(),
        outputs: outputs.iter().map(|o| Some(o.map(Some).to_vec())).collect(),
    }
}

#[test]
fn gdpo_tells_apart_what_the_weighted_sum_makes_equal() {
    let settings = Advantage { ddof: 1, eps: 0.0, ..Advantage::default() };
    // One reward gained against both: sums of 0 and 1, and of 0 and 2, have the same advantages.
    let one = group(&[1.0, 1.0], &[[0.0, 0.0], [1.0, 0.0]]);
    let both = group(&[1.0, 1.0], &[[0.0, 0.0], [1.0, 1.0]]);
    let summed = advantages(&[vec![Some(0.0), Some(1.0)], vec![Some(0.0), Some(2.0)]], &settings);
    assert_eq!(summed[0], summed[1]);
    // By hand: components ∓√½; S = ∓√½ and ∓√2; Σ S² = 5 over 4 outputs, deviation √(5/3).
    let decoupled = gdpo(&[one, both], &settings);
    let deviation = (5.0f64 / 3.0).sqrt();
    let expected =
        [-0.5f64.sqrt(), 0.5f64.sqrt(), -2f64.sqrt(), 2f64.sqrt()].map(|s| s / deviation);
    close(&decoupled, &expected, 1e-12, "gdpo");
    // Two rewards that exclude each other: equal sums, but not if one weighs more.
    let traded = group(&[1.0, 1.0], &[[0.0, 1.0], [1.0, 0.0]]);
    close(&gdpo(&[traded], &settings), &[0.0, 0.0], 1e-12, "traded");
    let traded = group(&[1.0, 0.5], &[[0.0, 1.0], [1.0, 0.0]]);
    // S = ∓√½ ± ½√½, whose deviation over two outputs is ½.
    close(&gdpo(&[traded], &settings), &[-0.5f64.sqrt(), 0.5f64.sqrt()], 1e-12, "weighed");
}

#[test]
fn gdpo_leaves_out_what_has_no_signal() {
    let settings = Advantage { ddof: 0, eps: 0.0, ..Advantage::default() };
    let mut undefined = group(&[1.0, 1.0], &[[0.0, 3.0], [1.0, 0.0], [1.0, 3.0]]);
    // The second component of the first output is undefined, the third output is excluded.
    if let Some(Some(output)) = undefined.outputs.first_mut() {
        output[1] = None;
    }
    undefined.outputs[2] = None;
    // What is left of the second component is one score: no signal. The first is 0 and 1.
    assert_eq!(gdpo(&[undefined], &settings), [[-1.0, 1.0, 0.0]]);
    let flat = group(&[1.0, 0.1], &[[0.3, 1.0], [0.3, 1.0]]);
    assert_eq!(gdpo(std::slice::from_ref(&flat), &settings), [[0.0, 0.0]]);
    // A group without a signal stays at exactly 0 beside one that has one.
    let with = gdpo(&[flat, group(&[1.0, 0.1], &[[0.0, 0.0], [1.0, 0.0]])], &settings);
    assert_eq!(with[0], [0.0, 0.0]);
    assert!(with[1][1] > 0.0);
    let weightless = group(&[1.0, 0.0], &[[1.0, 0.0], [1.0, 5.0]]);
    assert_eq!(gdpo(&[weightless], &settings), [[0.0, 0.0]], "a weight of 0 is no signal");
}

proptest! {
    /// However a component is shifted and scaled, the advantages stay: that is what it is for.
    #[test]
    fn gdpo_does_not_see_a_components_scale(
        outputs in prop::collection::vec(prop::array::uniform2(0u8..4), 2..9),
        scale in 0.01f64..100.0, shift in -5.0f64..5.0,
    ) {
        let settings = Advantage { ddof: 1, eps: 0.0, ..Advantage::default() };
        let plain: Vec<[f64; 2]> = outputs.iter().map(|o| o.map(f64::from)).collect();
        let scaled: Vec<[f64; 2]> = plain.iter().map(|o| [o[0] * scale + shift, o[1]]).collect();
        let a = gdpo(&[group(&[1.0, 0.3], &plain)], &settings);
        let b = gdpo(&[group(&[1.0, 0.3], &scaled)], &settings);
        for (a, b) in a[0].iter().zip(&b[0]) {
            prop_assert!(a.is_finite() && (a - b).abs() < 1e-6, "{a} {b}");
        }
    }

    /// Over a batch the valid outputs' advantages have mean 0 and deviation 1, and excluded ones
    /// take part in nothing.
    #[test]
    fn gdpo_normalises_the_batch(
        groups in prop::collection::vec(
            prop::collection::vec(prop::option::of(prop::array::uniform2(prop::option::of(0u8..3))), 1..7),
            1..6,
        ),
    ) {
        let settings = Advantage { ddof: 0, eps: 0.0, ..Advantage::default() };
        let of = |outputs: &[Option<[Option<u8>; 2]>]| ComponentGroup {
            weights: vec![1.0, 0.25],
            outputs: outputs.iter().map(|o| o.map(|o| o.map(|s| s.map(f64::from)).to_vec())).collect(),
        };
        let batch: Vec<ComponentGroup> = groups.iter().map(|g| of(g)).collect();
        let kept: Vec<ComponentGroup> = groups
            .iter()
            .map(|g| of(&g.iter().copied().filter(Option::is_some).collect::<Vec<_>>()))
            .collect();
        let all = gdpo(&batch, &settings);
        let valid = |(g, (o, _)): &(usize, (usize, f64))| groups[*g][*o].is_some();
        let flat: Vec<(usize, (usize, f64))> = all
            .iter()
            .enumerate()
            .flat_map(|(g, row)| row.iter().copied().enumerate().map(move |x| (g, x)))
            .collect();
        prop_assert!(flat.iter().all(|x| valid(x) || x.1.1 == 0.0));
        let of_valid: Vec<f64> = flat.iter().filter(|x| valid(x)).map(|x| x.1.1).collect();
        let without: Vec<f64> = gdpo(&kept, &settings).into_iter().flatten().collect();
        prop_assert_eq!(&of_valid, &without);
        let n = of_valid.len() as f64;
        if of_valid.iter().any(|a| *a != 0.0) {
            prop_assert!(of_valid.iter().sum::<f64>().abs() < 1e-9 * n.max(1.0));
            prop_assert!((of_valid.iter().map(|a| a * a).sum::<f64>() / n - 1.0).abs() < 1e-9);
        }
    }
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
