//! Every backward against finite differences in f64: each operation alone, and the whole model.

#![expect(clippy::unwrap_used, reason = "a test ends where something is wrong")]

mod common;

use common::{Numbers, tiny};
use omni_policy::backend::cpu::CpuBackend;
use omni_policy::backend::{AttentionForward, Backend, Heads, Linear, Predictions};
use omni_policy::model::Qwen2;
use omni_policy::model::layout::Layout;
use omni_policy::{Completion, Group, KeptSet};

/// Checks `analytic` against central differences of `f` at `x`.
fn check(name: &str, x: &[f64], analytic: &[f64], mut f: impl FnMut(&[f64]) -> f64) {
    assert_eq!(x.len(), analytic.len());
    let mut x = x.to_vec();
    // A spread of places, all of them when there are few.
    let step = x.len().div_ceil(60);
    for i in (0..x.len()).step_by(step) {
        let (at, h) = (x[i], 1e-4 * (1.0 + x[i].abs()));
        let mut difference = |h: f64| {
            x[i] = at + h;
            let above = f(&x);
            x[i] = at - h;
            let below = f(&x);
            x[i] = at;
            (above - below) / (2.0 * h)
        };
        // Richardson's step leaves an error of order h⁴.
        let numeric = (4.0 * difference(h) - difference(2.0 * h)) / 3.0;
        let error = (numeric - analytic[i]).abs() / (1.0 + numeric.abs());
        assert!(error < 2e-8, "{name}[{i}]: {} for {numeric}", analytic[i]);
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn cpu() -> CpuBackend<f64> {
    CpuBackend::new()
}

#[test]
fn linear() {
    let (b, mut n) = (cpu(), Numbers::new(1));
    // More rows than one block has.
    let (rows, layer) = (300, Linear { inputs: 5, outputs: 7, bias: true });
    let (x, params) = (n.vector(rows * 5), n.vector(5 * 7 + 7));
    let (residual, dout) = (n.vector(rows * 7), n.vector(rows * 7));
    let forward = |x: &[f64], params: &[f64]| {
        let mut out = vec![0.0; rows * 7];
        b.linear(layer, &mut out, x, params, Some(&residual));
        dot(&out, &dout)
    };
    let mut dx = vec![f64::NAN; rows * 5];
    b.linear_backward_input(layer, &mut dx, &dout, &params);
    check("dx", &x, &dx, |x| forward(x, &params));
    let mut dparams = vec![1.0; params.len()];
    b.linear_backward_params(layer, &mut dparams, &dout, &x);
    dparams.iter_mut().for_each(|d| *d -= 1.0);
    check("dparams", &params, &dparams, |params| forward(&x, params));
}

#[test]
fn rms_norm() {
    let (b, mut n) = (cpu(), Numbers::new(2));
    // Wider than one vector register, and not a multiple of it.
    let (rows, width, eps) = (130, 37, 1e-6);
    let (x, w, dout) = (n.vector(rows * width), n.vector(width), n.vector(rows * width));
    let forward = |x: &[f64], w: &[f64]| {
        let mut out = vec![0.0; x.len()];
        b.rms_norm(eps, &mut out, x, w);
        dot(&out, &dout)
    };
    let (mut dx, mut dw) = (vec![2.0; x.len()], vec![3.0; width]);
    b.rms_norm_backward(eps, &mut dx, &mut dw, &dout, &x, &w);
    dx.iter_mut().for_each(|d| *d -= 2.0);
    dw.iter_mut().for_each(|d| *d -= 3.0);
    check("dx", &x, &dx, |x| forward(x, &w));
    check("dw", &w, &dw, |w| forward(&x, w));
}

#[test]
fn swiglu() {
    let (b, mut n) = (cpu(), Numbers::new(3));
    let (rows, inner) = (130, 9);
    let gate_up: Vec<f64> = n.vector(rows * 2 * inner).iter().map(|x| 4.0 * x).collect();
    let dout = n.vector(rows * inner);
    let forward = |gate_up: &[f64]| {
        let mut out = vec![0.0; rows * inner];
        b.swiglu(inner, &mut out, gate_up);
        out
    };
    let (mut gradient, mut value) = (gate_up.clone(), dout.clone());
    b.swiglu_backward(inner, &mut gradient, &mut value);
    assert!(common::worst(value, &forward(&gate_up)) < 1e-15);
    check("dgate_up", &gate_up, &gradient, |x| dot(&forward(x), &dout));
}

#[test]
fn rope_and_embedding() {
    let (b, mut n) = (cpu(), Numbers::new(4));
    let heads = Heads { queries: 4, keys: 2, dim: 6 };
    let (rows, width) = (140, heads.row());
    let table: Vec<f64> = (0..10)
        .flat_map(|p| {
            let angle = move |d: i32| f64::from(p) * 0.3_f64.powi(d);
            (0..3).map(move |d| angle(d).cos()).chain((0..3).map(move |d| angle(d).sin()))
        })
        .collect();
    let positions = n.tokens(rows, 10);
    let (x, dout) = (n.vector(rows * width), n.vector(rows * width));
    let mut dx = dout.clone();
    b.rope_backward(heads, &positions, &mut dx, &table);
    check("rope", &x, &dx, |x| {
        let mut out = x.to_vec();
        b.rope(heads, &positions, &mut out, &table);
        dot(&out, &dout)
    });

    let ids = n.tokens(rows, 21);
    let (table, dout) = (n.vector(21 * 5), n.vector(rows * 5));
    let forward = |table: &[f64]| {
        let mut out = vec![0.0; rows * 5];
        b.embedding(5, &ids, &mut out, table);
        dot(&out, &dout)
    };
    let mut dtable = vec![0.0; table.len()];
    b.embedding_backward(5, &ids, &mut dtable, &dout);
    check("embedding", &table, &dtable, forward);
    let mut dx = vec![f64::NAN; table.len()];
    b.gather_backward(5, &ids, &mut dx, &dout);
    assert_eq!(dx, dtable);
}

/// Two groups: completions of several lengths (one longer than a block of queries), a lone prompt.
fn groups(n: &mut Numbers, vocabulary: u32) -> Vec<(Vec<u32>, Vec<Vec<u32>>)> {
    [(3, vec![4, 0, 1, 70]), (7, vec![]), (1, vec![2, 5])]
        .into_iter()
        .map(|(prompt, completions)| {
            let completions = completions.iter().map(|&len| n.tokens(len, vocabulary)).collect();
            (n.tokens(prompt, vocabulary), completions)
        })
        .collect()
}

fn layout(groups: &[(Vec<u32>, Vec<Vec<u32>>)]) -> Layout<'_> {
    let groups: Vec<_> = groups
        .iter()
        .map(|(prompt, completions)| Group {
            prompt,
            completions: completions.iter().map(|c| Completion { tokens: c, kept: None }).collect(),
        })
        .collect();
    Layout::new(&groups)
}

#[test]
fn attention() {
    let (b, mut n) = (cpu(), Numbers::new(5));
    let heads = Heads { queries: 4, keys: 2, dim: 6 };
    let groups = groups(&mut n, 9);
    let layout = layout(&groups);
    let rows = layout.len();
    let qkv: Vec<f64> = n.vector(rows * heads.row()).iter().map(|x| 2.0 * x).collect();
    let dout = n.vector(rows * heads.out());
    let forward = |qkv: &[f64]| {
        let mut out = vec![f64::NAN; rows * heads.out()];
        let mut lse = vec![f64::NAN; rows * heads.queries];
        b.attention(heads, &layout, &mut out, &mut lse, qkv);
        (out, lse)
    };
    let (out, lse) = forward(&qkv);
    let mut dqkv = vec![f64::NAN; qkv.len()];
    let saved = AttentionForward { qkv: &qkv[..], out: &out[..], lse: &lse[..] };
    b.attention_backward(heads, &layout, &mut dqkv, &dout, saved);
    check("dqkv", &qkv, &dqkv, |qkv| dot(&forward(qkv).0, &dout));
}

/// A set that holds the token, and about half of the others.
fn kept_set(n: &mut Numbers, vocabulary: u32, token: u32) -> KeptSet {
    let ids: Vec<u32> =
        (0..vocabulary).filter(|&id| id == token || n.next() >> 40 & 1 == 0).collect();
    KeptSet { ids: ids.into() }
}

#[test]
fn head() {
    let (b, mut n) = (cpu(), Numbers::new(6));
    // More rows and tokens than one tile has, so that all seams are crossed.
    let (rows, vocabulary, width) = (140, 2100, 3);
    let targets = n.tokens(rows, vocabulary);
    let sets: Vec<KeptSet> = targets.iter().map(|&t| kept_set(&mut n, vocabulary, t)).collect();
    let (hidden, table) = (n.vector(rows * width), n.vector(vocabulary as usize * width));
    let dlogp = n.vector(rows);
    for with_kept in [false, true] {
        let kept: Vec<_> = match with_kept {
            true => (0..rows).map(|i| (i % 3 != 0).then_some(&sets[i])).collect(),
            false => Vec::new(),
        };
        let predictions = Predictions { targets: &targets, kept: &kept, temperature: 0.5 };
        let stats = b.head(width, predictions, &hidden, &table);

        // Against the definition.
        for row in 0..rows {
            let x: Vec<f64> = (0..vocabulary as usize)
                .filter(|&v| {
                    kept.get(row).copied().flatten().is_none_or(|k| k.ids.contains(&(v as u32)))
                })
                .map(|v| 2.0 * dot(&hidden[row * width..][..width], &table[v * width..][..width]))
                .collect();
            let lse = x.iter().map(|x| x.exp()).sum::<f64>().ln();
            let entropy: f64 = x.iter().map(|x| -(x - lse).exp() * (x - lse)).sum();
            let target = targets[row] as usize;
            let logit =
                2.0 * dot(&hidden[row * width..][..width], &table[target * width..][..width]);
            assert!((stats.logp[row] - (logit - lse)).abs() < 1e-12);
            assert!((stats.entropy[row] - entropy).abs() < 1e-11);
        }

        let (mut dhidden, mut dtable) = (vec![f64::NAN; hidden.len()], vec![0.0; table.len()]);
        b.head_backward(
            width,
            predictions,
            &dlogp,
            &stats.lse,
            &mut dhidden,
            &mut dtable,
            &hidden,
            &table,
        );
        let loss = |hidden: &[f64], table: &[f64]| {
            dot(&b.head(width, predictions, hidden, table).logp, &dlogp)
        };
        check("dhidden", &hidden, &dhidden, |hidden| loss(hidden, &table));
        check("dtable", &table, &dtable, |table| loss(&hidden, table));
    }
}

#[test]
fn whole_model() {
    for (tied, recompute, with_kept) in
        [(true, false, false), (false, false, true), (true, true, false)]
    {
        let mut n = Numbers::new(7);
        let config = tiny(tied);
        let vocabulary = config.vocab_size as u32;
        let groups = groups(&mut n, vocabulary);
        let kept: Vec<Vec<Vec<KeptSet>>> = groups
            .iter()
            .map(|(_, completions)| {
                completions
                    .iter()
                    .map(|c| c.iter().map(|&t| kept_set(&mut n, vocabulary, t)).collect())
                    .collect()
            })
            .collect();
        let packed: Vec<_> = groups
            .iter()
            .zip(&kept)
            .map(|((prompt, completions), kept)| Group {
                prompt,
                completions: completions
                    .iter()
                    .zip(kept)
                    .map(|(tokens, kept)| Completion {
                        tokens,
                        kept: with_kept.then_some(&kept[..]),
                    })
                    .collect(),
            })
            .collect();
        let layout = Layout::new(&packed);
        let mut model = Qwen2::random(cpu(), config.clone(), 11).unwrap();
        model.recompute = recompute;
        // Biases start at 0 and norms at 1; move them, so that nothing is special.
        let weights: Vec<f64> = model.weights().iter().map(|w| w + 0.1 * n.signed()).collect();
        let mut model = Qwen2::new(cpu(), config.clone(), &weights).unwrap();
        model.recompute = recompute;
        let dlogp = n.vector(layout.rows.len());
        let stats = model.begin(&layout, 0.7);
        model.finish(&layout, 0.7, &stats, &dlogp);
        let gradient = model.gradient();
        let parameters = model.arena().parameters.clone();
        for parameter in parameters {
            let range = parameter.range.clone();
            let mut weights = weights.clone();
            let loss = |part: &[f64]| {
                weights[range.clone()].copy_from_slice(part);
                let mut model = Qwen2::new(cpu(), config.clone(), &weights).unwrap();
                dot(&model.stats(&layout, 0.7).logp, &dlogp)
            };
            let part = model.weights()[range.clone()].to_vec();
            check(&parameter.name, &part, &gradient[range.clone()], loss);
        }
    }
}

#[test]
fn gradients_accumulate() {
    let mut n = Numbers::new(8);
    let groups = groups(&mut n, 19);
    let layout = layout(&groups);
    let mut model = Qwen2::random(cpu(), tiny(true), 1).unwrap();
    let dlogp = n.vector(layout.rows.len());
    for _ in 0..2 {
        let stats = model.begin(&layout, 1.0);
        model.finish(&layout, 1.0, &stats, &dlogp);
    }
    let twice = model.gradient();
    model.zero_grad();
    let stats = model.begin(&layout, 1.0);
    model.finish(&layout, 1.0, &stats, &dlogp);
    let once: Vec<f64> = model.gradient().iter().map(|g| 2.0 * g).collect();
    assert!(common::worst(twice, &once) < 1e-12);
}

#[test]
fn parts_set_aside_have_their_own_norms_and_add_up() {
    let mut n = Numbers::new(9);
    let groups = groups(&mut n, 19);
    let layout = layout(&groups);
    let mut model = Qwen2::random(cpu(), tiny(true), 1).unwrap();
    let parts: Vec<Vec<f64>> = (0..3).map(|_| n.vector(layout.rows.len())).collect();
    let pass = |model: &mut Qwen2<CpuBackend<f64>>, dlogp: &[f64]| {
        let stats = model.begin(&layout, 1.0);
        model.finish(&layout, 1.0, &stats, dlogp);
    };
    for part in &parts {
        pass(&mut model, part);
    }
    let (whole, norm) = (model.gradient().to_vec(), model.grad_norm());
    model.zero_grad();
    for part in &parts {
        pass(&mut model, part);
        let alone = model.gradient().to_vec();
        assert!((model.set_grad_aside() - dot(&alone, &alone).sqrt()).abs() < 1e-12);
        assert_eq!(model.grad_norm(), 0.0, "the next part begins at nothing");
    }
    model.take_grad_back();
    assert!(common::worst(model.gradient(), &whole) < 1e-12);
    assert!((model.grad_norm() - norm).abs() < 1e-12);
    // Nothing is left aside.
    model.take_grad_back();
    assert!((model.grad_norm() - norm).abs() < 1e-12);
}
