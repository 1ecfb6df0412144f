//! What a step showed, for the record.

use omni_record::{Finish, Fuel, StepEvent, TaskStep};

use crate::advantage::is_zero_variance;
use crate::clock;
use crate::grade::Graded;
use crate::measure::{Components, Mean, PassAtK};
use crate::phase::Batch;
use crate::prompts::Prompt;
use crate::rollout::Rolled;
use crate::run::Run;
use crate::update::{Learned, Lesson};

impl Run<'_> {
    /// What a step showed, but for what only its optimizer and its clock know.
    pub(crate) fn describe(
        &self,
        batch: &Batch,
        prompts: &[Prompt],
        rolled: &[Rolled],
        graded: &[Graded],
        lessons: &[Lesson<'_>],
        learned: &Learned,
    ) -> StepEvent {
        let mut event = StepEvent {
            step: self.state.step,
            time: clock::now(),
            loss: learned.tally.loss,
            kl: learned.tally.mean_kl(),
            clip_low: learned.tally.clip_low(),
            clip_high: learned.tally.clip_high(),
            ..StepEvent::default()
        };
        let (mut prompt_tokens, mut completion_tokens) = (0u64, 0u64);
        let mut fuel = Fuel::default();
        for i in batch.prompts.clone() {
            prompt_tokens += prompts[i].tokens.len() as u64;
            completion_tokens +=
                rolled[i].generated.iter().map(|g| g.tokens.len() as u64).sum::<u64>();
            fuel += rolled[i].score.fuel;
        }
        event.fuel = fuel;
        event.tokens = [
            ("prompt", prompt_tokens),
            ("completion", completion_tokens),
            ("update", learned.tokens),
        ]
        .map(|(name, n)| (name.to_owned(), n))
        .into();
        for task in &batch.tasks {
            let name = self.parts.tasks[*task].name.clone();
            event.tasks.insert(
                name,
                self.describe_task(*task, batch, prompts, rolled, graded, lessons, learned),
            );
        }
        event
    }

    #[expect(clippy::too_many_arguments, reason = "a phase's parts, each borrowed for itself")]
    fn describe_task(
        &self,
        task: usize,
        batch: &Batch,
        prompts: &[Prompt],
        rolled: &[Rolled],
        graded: &[Graded],
        lessons: &[Lesson<'_>],
        learned: &Learned,
    ) -> TaskStep {
        let spec = &self.parts.tasks[task];
        let [mut reward, mut advantage, mut entropy, mut length, mut truncated, mut zero] =
            [Mean::default(); 6];
        let mut components = Components::new(spec);
        let mut pass_at_k = PassAtK::default();
        let mut count = TaskStep { long_prompts: batch.long_prompts[task], ..TaskStep::default() };
        for i in batch.prompts.clone().filter(|i| prompts[*i].task == task) {
            count.prompts += 1;
            let lesson = i - batch.prompts.start;
            for (o, rollout) in rolled[i].rollouts.iter().enumerate() {
                count.rollouts += 1;
                length.add(f64::from(rollout.tokens));
                truncated.add(f64::from(u8::from(rollout.finish == Finish::Length)));
                components.add(&rolled[i].score.rollouts[o]);
                if let Some(r) = graded[i].rewards[o] {
                    reward.add(r);
                    advantage.add(graded[i].advantages[o].abs());
                }
            }
            count.valid += lessons[lesson].outputs.len() as u32;
            learned.entropy[lesson].iter().copied().flatten().for_each(|h| entropy.add(h));
            if !lessons[lesson].outputs.is_empty() {
                zero.add(f64::from(u8::from(is_zero_variance(&graded[i].rewards))));
            }
            pass_at_k.add(spec, &rolled[i].score);
        }
        TaskStep {
            reward_mean: reward.get(),
            reward_std: reward.deviation(),
            components: components.means(),
            mean_abs_advantage: advantage.get().unwrap_or(0.0),
            entropy: entropy.get(),
            completion_length: length.get().unwrap_or(0.0),
            truncated_fraction: truncated.get().unwrap_or(0.0),
            zero_variance_fraction: zero.get().unwrap_or(0.0),
            pass_at_k: pass_at_k.means(),
            undefined: components.undefined,
            judge_failures: components.judge_failures,
            // A task that is in the batch and has nothing to learn from pulls on nothing.
            grad_norm: self.rules.apart.then(|| learned.norms.get(&task).copied().unwrap_or(0.0)),
            ..count
        }
    }
}
