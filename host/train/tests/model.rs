//! A whole run of a real, tiny Qwen2: threads, a stop and a resume leave no trace in the weights.
#![expect(clippy::unwrap_used, reason = "helpers of tests may stop at the first surprise too")]

mod common;

use std::path::Path;

use common::world::{Session, World, checkpoint, config, events};
use omni_policy::{CpuPolicy, ModelConfig};
use omni_train::Ending;

fn tiny(world: &World, threads: usize) -> CpuPolicy {
    let config = ModelConfig {
        vocab_size: world.tokenizer.vocab_size(),
        hidden_size: 32,
        intermediate_size: 48,
        num_hidden_layers: 2,
        num_attention_heads: 4,
        num_key_value_heads: 2,
        head_dim: 8,
        rms_norm_eps: 1e-6,
        rope_theta: 1e4,
        max_position_embeddings: 256,
        tie_word_embeddings: true,
        initializer_range: 0.05,
        eos_token_ids: world.tokenizer.eos_ids().to_vec(),
        pad_token_id: world.tokenizer.pad_id(),
    };
    CpuPolicy::init_random(config, 5, Some(threads)).unwrap()
}

#[test]
fn threads_and_a_resume_leave_no_trace() {
    let world = World::new();
    let config = config(&[
        "schedule.max_steps=5",
        "optimizer.lr=0.003",
        "rollout.batches_per_phase=2",
        "rollout.top_k=40",
        "rollout.logprob_support=sampled",
        "loss.micro_batch_tokens=200",
        "loss.ratio=sequence",
        "task.short.temperature=0.8",
        "eval.every=3",
    ]);
    let run = |threads: usize, folder: &Path, stop_at: u64, resume: bool| {
        let session = Session::with(&world, tiny(&world, threads));
        Session { stop_at, resume, ..session }.run(&config, folder).unwrap().ending
    };
    let dirs: Vec<_> = (0..3).map(|_| tempfile::tempdir().unwrap()).collect();
    assert_eq!(run(1, dirs[0].path(), u64::MAX, false), Ending::Finished);
    assert_eq!(run(2, dirs[1].path(), u64::MAX, false), Ending::Finished);
    assert_eq!(run(2, dirs[2].path(), 1, false), Ending::Interrupted);
    assert_eq!(run(1, dirs[2].path(), u64::MAX, true), Ending::Finished);
    for dir in &dirs[1..] {
        assert!(checkpoint(dir.path(), 5) == checkpoint(dirs[0].path(), 5));
        assert_eq!(events(dir.path()), events(dirs[0].path()));
    }
    let start = tempfile::tempdir().unwrap();
    omni_policy::Policy::save_model(&tiny(&world, 1), start.path()).unwrap();
    let untrained = std::fs::read(start.path().join("model.safetensors")).unwrap();
    assert!(checkpoint(dirs[0].path(), 5)[0] != untrained, "it was trained");
}
