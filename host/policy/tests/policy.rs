//! What the trait promises: packing changes nothing, threads change nothing, samples are drawn
//! from the model's distribution whatever else is generated.

#![expect(clippy::unwrap_used, reason = "a test ends where something is wrong")]

mod common;

use common::{Batch, Numbers, Tensors, fixture, tiny};
use omni_policy::{
    AdamWConfig, Completion, CpuPolicy, Generated, GenerationRequest, Group, KeptSet, Policy,
    Sampling, TokenStats,
};
use proptest::prelude::*;

fn policy(threads: usize) -> CpuPolicy {
    CpuPolicy::init_random(tiny(true), 5, Some(threads)).unwrap()
}

fn close(a: &[f32], b: &[f32]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-4 * (1.0 + b.abs()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// A packed batch with shared prompts gives what each completion gives alone.
    #[test]
    fn packing_and_sharing_change_nothing(
        sizes in prop::collection::vec((1_usize..20, prop::collection::vec(0_usize..90, 0..5)), 1..5),
        seed in any::<u64>(),
    ) {
        let mut n = Numbers::new(seed);
        let groups: Vec<(Vec<u32>, Vec<Vec<u32>>)> = sizes
            .iter()
            .map(|(p, c)| (n.tokens(*p, 19), c.iter().map(|&len| n.tokens(len, 19)).collect()))
            .collect();
        let mut policy = policy(1);
        let packed: Vec<_> = groups
            .iter()
            .map(|(prompt, completions)| Group {
                prompt,
                completions: completions.iter().map(|tokens| Completion { tokens, kept: None }).collect(),
            })
            .collect();
        let mut signs = Numbers::new(seed ^ 1);
        let weights: Vec<Vec<Vec<f32>>> = groups
            .iter()
            .map(|(_, c)| c.iter().map(|c| c.iter().map(|_| signs.signed() as f32).collect()).collect())
            .collect();
        let together = policy.token_stats(&packed, 0.8).unwrap();
        policy.accumulate(&packed, 0.8, &mut |_| weights.clone()).unwrap();
        let norm = policy.grad_norm();
        policy.zero_grad();
        for (g, (prompt, completions)) in groups.iter().enumerate() {
            for (c, tokens) in completions.iter().enumerate() {
                let alone = [Group { prompt, completions: vec![Completion { tokens, kept: None }] }];
                let stats = policy.token_stats(&alone, 0.8).unwrap();
                prop_assert!(close(&stats.logp[0][0], &together.logp[g][c]));
                prop_assert!(close(&stats.entropy[0][0], &together.entropy[g][c]));
                let gradient = vec![vec![weights[g][c].clone()]];
                policy.accumulate(&alone, 0.8, &mut |_| gradient.clone()).unwrap();
            }
        }
        prop_assert!((policy.grad_norm() - norm).abs() < 1e-3 * (1.0 + norm));
    }
}

fn generate(
    policy: &mut CpuPolicy,
    requests: &[GenerationRequest<'_>],
    sampling: &Sampling,
) -> Vec<Vec<Generated>> {
    let mut all = vec![None; requests.len()];
    policy
        .generate(requests, sampling, &mut |n, samples| {
            assert!(all[n].replace(samples).is_none(), "a group is handed over once");
        })
        .unwrap();
    all.into_iter().map(|samples| samples.expect("every group is handed over")).collect()
}

/// Several steps of generating and training; the final weights and everything seen on the way.
fn train(threads: usize) -> (Vec<Vec<Vec<Generated>>>, Vec<TokenStats>, Vec<u8>) {
    let mut policy = CpuPolicy::load(&fixture("nano"), Some(threads)).unwrap();
    let mut n = Numbers::new(1);
    let (mut samples, mut stats) = (Vec::new(), Vec::new());
    for step in 0..4 {
        let prompts: Vec<Vec<u32>> = (0..9).map(|p| n.tokens(5 + 3 * p, 256)).collect();
        let requests: Vec<_> = prompts
            .iter()
            .map(|prompt| GenerationRequest { prompt, samples: 11, seed: step })
            .collect();
        let sampling = Sampling { max_new_tokens: 40, top_k: Some(200), ..Sampling::default() };
        let out = generate(&mut policy, &requests, &sampling);
        let groups: Vec<_> = prompts
            .iter()
            .zip(&out)
            .map(|(prompt, samples)| Group {
                prompt,
                completions: samples
                    .iter()
                    .map(|s| Completion { tokens: &s.tokens, kept: None })
                    .collect(),
            })
            .collect();
        stats.push(policy.token_stats(&groups, 1.0).unwrap());
        policy.zero_grad();
        for half in groups.chunks(5) {
            let mut signs = Numbers::new(step + 1);
            policy
                .accumulate(half, 1.0, &mut |stats| {
                    let mut next = || (1e-2 * signs.signed()) as f32;
                    stats
                        .logp
                        .iter()
                        .map(|g| g.iter().map(|c| c.iter().map(|_| next()).collect()).collect())
                        .collect()
                })
                .unwrap();
        }
        policy.step(&AdamWConfig { lr: 1e-3, ..AdamWConfig::default() }, Some(1.0)).unwrap();
        samples.push(out);
    }
    let dir = tempfile::tempdir().unwrap();
    policy.save_model(dir.path()).unwrap();
    policy.save_optimizer(&dir.path().join("optimizer.safetensors")).unwrap();
    let mut bytes = std::fs::read(dir.path().join("model.safetensors")).unwrap();
    bytes.extend(std::fs::read(dir.path().join("optimizer.safetensors")).unwrap());
    (samples, stats, bytes)
}

#[test]
fn any_number_of_threads_gives_the_same_bytes() {
    let one = train(1);
    for threads in [2, 5] {
        let other = train(threads);
        assert!(one.0 == other.0, "samples differ with {threads} threads");
        assert!(one.1 == other.1, "statistics differ with {threads} threads");
        assert!(one.2 == other.2, "weights or moments differ with {threads} threads");
    }
}

#[test]
fn samples_do_not_depend_on_what_is_generated_beside_them() {
    let mut n = Numbers::new(2);
    let prompts: Vec<Vec<u32>> = (0..40).map(|p| n.tokens(1 + p % 50, 256)).collect();
    let mut policy = CpuPolicy::load(&fixture("nano"), Some(2)).unwrap();
    for sampling in [
        Sampling { max_new_tokens: 30, ..Sampling::default() },
        Sampling { max_new_tokens: 70, top_p: 0.9, temperature: 1.3, ..Sampling::default() },
    ] {
        let request = |p: usize| GenerationRequest {
            prompt: &prompts[p],
            samples: 1 + p % 7,
            seed: p as u64,
        };
        let all: Vec<_> = (0..prompts.len()).map(request).collect();
        let together = generate(&mut policy, &all, &sampling);
        for p in [0, 3, 17, 39] {
            let alone = generate(&mut policy, &[request(p)], &sampling);
            assert_eq!(alone[0], together[p]);
            // More samples of a request only add to those there were.
            let more = GenerationRequest { samples: 90, ..request(p) };
            let more = generate(&mut policy, &[more], &sampling);
            assert_eq!(more[0].len(), 90);
            assert_eq!(more[0][..alone[0].len()], alone[0][..]);
        }
    }
}

/// Log-probabilities of every token as the next one after a prompt.
fn next_token(policy: &mut CpuPolicy, prompt: &[u32], temperature: f32) -> Vec<f64> {
    let tokens: Vec<[u32; 1]> = (0..policy.vocab_size() as u32).map(|t| [t]).collect();
    let completions = tokens.iter().map(|t| Completion { tokens: t, kept: None }).collect();
    let stats = policy.token_stats(&[Group { prompt, completions }], temperature).unwrap();
    stats.logp[0].iter().map(|c| f64::from(c[0])).collect()
}

/// Draws follow the exact truncated softmax, at the first and at the second token.
#[test]
fn samples_follow_the_truncated_softmax() {
    let draws = 20_000;
    let prompt = [3, 9, 4];
    for (temperature, top_k, top_p) in
        [(1.0, None, 1.0), (0.7, Some(6), 1.0), (1.5, None, 0.8), (1.0, Some(9), 0.7)]
    {
        let mut policy = policy(2);
        let sampling = Sampling { temperature, top_k, top_p, max_new_tokens: 2, record_kept: true };
        let request = GenerationRequest { prompt: &prompt, samples: draws, seed: 77 };
        let out = generate(&mut policy, &[request], &sampling).remove(0);
        // The second token is looked at after the most frequent first one.
        let mut counts = vec![0_usize; policy.vocab_size()];
        out.iter().for_each(|s| counts[s.tokens[0] as usize] += 1);
        let often =
            (0..counts.len()).filter(|&t| t != 1).max_by_key(|&t| counts[t]).unwrap() as u32;
        let longer = [3, 9, 4, often];
        let second: Vec<&Generated> = out.iter().filter(|s| s.tokens[0] == often).collect();
        for (context, at, out) in [(&prompt[..], 0, out.iter().collect()), (&longer[..], 1, second)]
        {
            let logp = next_token(&mut policy, context, temperature);
            let mut order: Vec<usize> = (0..logp.len()).collect();
            order.sort_by(|&a, &b| logp[b].total_cmp(&logp[a]));
            order.truncate(top_k.unwrap_or(u32::MAX) as usize);
            let mass: f64 = order.iter().map(|&t| logp[t].exp()).sum();
            let mut before = 0.0;
            let kept: Vec<usize> = order
                .into_iter()
                .take_while(|&t| {
                    let take = before < mass * f64::from(top_p);
                    before += logp[t].exp();
                    take
                })
                .collect();
            let mass: f64 = kept.iter().map(|&t| logp[t].exp()).sum();
            let mut ids: Vec<u32> = kept.iter().map(|&t| t as u32).collect();
            ids.sort_unstable();
            let truncated = top_k.is_some() || top_p < 1.0;
            let mut chi = 0.0;
            for &t in &kept {
                let expected = out.len() as f64 * logp[t].exp() / mass;
                let seen = out.iter().filter(|s| s.tokens[at] as usize == t).count() as f64;
                chi += (seen - expected).powi(2) / expected;
            }
            // Mean k, variance 2k: five deviations and a little for small k.
            let k = (kept.len() - 1) as f64;
            assert!(chi < k + 5.0 * (2.0 * k).sqrt() + 5.0, "chi² {chi} for {k} at token {at}");
            for sample in &out {
                assert!(ids.contains(&sample.tokens[at]));
                assert_eq!(sample.kept.is_some(), truncated);
                if let Some(sets) = &sample.kept {
                    assert_eq!(sets.len(), sample.tokens.len());
                    assert_eq!(sets[at], KeptSet { ids: ids.clone().into() });
                }
            }
        }
    }
}

#[test]
fn recorded_sets_give_the_log_probability_that_was_sampled() {
    let mut policy = policy(1);
    let sampling =
        Sampling { top_k: Some(4), max_new_tokens: 12, record_kept: true, ..Sampling::default() };
    let request = GenerationRequest { prompt: &[2, 3], samples: 8, seed: 1 };
    let out = generate(&mut policy, &[request], &sampling).remove(0);
    let completions =
        out.iter().map(|s| Completion { tokens: &s.tokens, kept: s.kept.as_deref() }).collect();
    let stats = policy.token_stats(&[Group { prompt: &[2, 3], completions }], 1.0).unwrap();
    for (sample, entropy) in out.iter().zip(&stats.entropy[0]) {
        assert!(entropy.iter().all(|&h| h <= 4_f32.ln() + 1e-5));
        assert!(
            sample.tokens.iter().zip(sample.kept.as_ref().unwrap()).all(|(t, k)| k.ids.contains(t))
        );
    }
    assert!(stats.logp[0].iter().flatten().all(|&l| l <= 1e-6));
}

#[test]
fn completions_end_at_the_end_token_or_at_a_limit() {
    let mut policy = policy(2);
    let long = vec![2_u32; 250];
    let requests = [
        GenerationRequest { prompt: &[2, 3], samples: 200, seed: 1 },
        GenerationRequest { prompt: &long, samples: 3, seed: 2 },
        GenerationRequest { prompt: &[5], samples: 0, seed: 3 },
    ];
    let sampling = Sampling { max_new_tokens: 20, ..Sampling::default() };
    let out = generate(&mut policy, &requests, &sampling);
    assert_eq!(out.iter().map(Vec::len).collect::<Vec<_>>(), [200, 3, 0]);
    for (n, sample) in out.iter().enumerate().flat_map(|(n, s)| s.iter().map(move |s| (n, s))) {
        let limit = if n == 1 { 6 } else { 20 };
        assert!(sample.tokens.len() <= limit);
        assert_eq!(sample.tokens.last() == Some(&1), sample.stopped);
        assert!(sample.stopped || sample.tokens.len() == limit);
        assert!(sample.tokens.iter().rev().skip(1).all(|&t| t != 1));
    }
    assert!(out[0].iter().any(|s| s.stopped) && out[0].iter().any(|s| !s.stopped));
}

#[test]
fn unusable_arguments_are_refused_by_name() {
    let mut policy = policy(1);
    let good = Sampling::default();
    let mut refused = |prompt: &[u32], sampling: &Sampling, part: &str| {
        let request = GenerationRequest { prompt, samples: 1, seed: 0 };
        let error = policy.generate(&[request], sampling, &mut |_, _| {}).unwrap_err();
        assert!(error.is_input());
        assert!(error.to_string().contains(part), "{error}");
    };
    refused(&[], &good, "prompt 0 is empty");
    refused(&[19], &good, "token 19");
    refused(&[1; 256], &good, "256 positions");
    refused(&[1], &Sampling { temperature: -1.0, ..good.clone() }, "temperature");
    refused(&[1], &Sampling { temperature: f32::NAN, ..good.clone() }, "temperature");
    refused(&[1], &Sampling { top_p: 0.0, ..good.clone() }, "top_p");
    refused(&[1], &Sampling { top_k: Some(0), ..good.clone() }, "top_k");
    refused(&[1], &Sampling { max_new_tokens: 0, ..good.clone() }, "max_new_tokens");

    let tokens = [1, 2];
    let sets = [KeptSet { ids: [1].into() }, KeptSet { ids: [3, 4].into() }];
    let mut refused = |completion: Completion<'_>, temperature: f32, part: &str| {
        let group = Group { prompt: &[1], completions: vec![completion] };
        let error = policy.token_stats(&[group], temperature).unwrap_err();
        assert!(error.to_string().contains(part), "{error}");
    };
    refused(Completion { tokens: &[99], kept: None }, 1.0, "group 0, completion 0: token 99");
    refused(Completion { tokens: &tokens, kept: Some(&sets) }, 1.0, "not in its kept set");
    refused(Completion { tokens: &tokens, kept: Some(&sets[..1]) }, 1.0, "1 kept sets for 2");
    refused(Completion { tokens: &tokens, kept: None }, 0.0, "temperature 0");
    refused(Completion { tokens: &[1; 256], kept: None }, 1.0, "257 tokens");

    let group =
        Group { prompt: &[1], completions: vec![Completion { tokens: &tokens, kept: None }] };
    let wrong =
        policy.accumulate(std::slice::from_ref(&group), 1.0, &mut |_| vec![vec![vec![0.0]]]);
    assert!(wrong.unwrap_err().to_string().contains("another shape"));
    policy.accumulate(&[group], 1.0, &mut |_| vec![vec![vec![f32::NAN, 0.0]]]).unwrap();
    let error = policy.step(&AdamWConfig::default(), Some(1.0)).unwrap_err();
    assert!(!error.is_input() && error.to_string().contains("not finite"));
}

#[test]
fn nothing_to_learn_from_is_no_fault() {
    let mut policy = policy(2);
    let empty = Completion { tokens: &[], kept: None };
    let lone = Group { prompt: &[2, 3], completions: vec![] };
    let silent = Group { prompt: &[4], completions: vec![empty, empty] };
    for groups in [vec![], vec![lone.clone()], vec![silent.clone(), lone]] {
        let stats = policy.token_stats(&groups, 1.0).unwrap();
        assert_eq!(stats.logp.len(), groups.len());
        policy.accumulate(&groups, 1.0, &mut |stats| stats.logp.clone()).unwrap();
        assert_eq!(policy.grad_norm(), 0.0);
    }
    let stats = policy.token_stats(&[silent], 1.0).unwrap();
    assert_eq!(stats.logp, vec![vec![Vec::<f32>::new(); 2]]);
    policy.generate(&[], &Sampling::default(), &mut |_, _| panic!("no request")).unwrap();
}

#[test]
fn many_groups_are_measured_in_chunks() {
    let tensors = Tensors::open("b_c_batch.safetensors");
    let batch = Batch::open(&tensors);
    let mut policy = CpuPolicy::load(&fixture("nano"), Some(2)).unwrap();
    let few = policy.token_stats(&batch.groups(), 1.0).unwrap();
    let many: Vec<_> = (0..150).flat_map(|_| batch.groups()).collect();
    let many = policy.token_stats(&many, 1.0).unwrap();
    assert_eq!(many.logp.len(), 300);
    for (n, logp) in many.logp.iter().enumerate() {
        assert!(logp.iter().zip(&few.logp[n % 2]).all(|(a, b)| close(a, b)));
    }
}
