//! Files that stand beside the weights of a training run.

/// What a file of a training run is that holds no weights that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotWeights {
    /// An optimizer, or its state_dict (`optimizer.pt`).
    #[error(
        "it is the state of an optimizer, not a model; the weights are in another file \
         (model.safetensors or pytorch_model.bin beside optimizer.pt)"
    )]
    Optimizer,
    /// DeepSpeed's `*_optim_states.pt`.
    #[error(
        "it is DeepSpeed's state of an optimizer (*_optim_states.pt), not a model; for stages 1 and 2 give \
         mp_rank_00_model_states.pt, for stage 3 first run: python zero_to_fp32.py checkpoint_folder output_folder"
    )]
    DeepSpeedOptimizer,
    /// DeepSpeed's stage 3, whose parameters lie in flat partitions in other files.
    #[error(
        "it is a DeepSpeed checkpoint of stage 3: its parameters are placeholders, and their values lie in \
         the *_optim_states.pt files; run: python zero_to_fp32.py checkpoint_folder output_folder"
    )]
    Zero3,
    /// A learning rate scheduler (`scheduler.pt`).
    #[error("it is the state of a learning rate scheduler, not a model; give the file with the weights")]
    Scheduler,
    /// A gradient scaler (`scaler.pt`).
    #[error("it is the state of a gradient scaler, not a model; give the file with the weights")]
    GradScaler,
    /// Random number generators (`rng_state.pth`).
    #[error("it is the state of random number generators, not a model; give the file with the weights")]
    RandomState,
    /// The arguments of a training run (`training_args.bin`).
    #[error(
        "it is the configuration of a training run, not a model; give model.safetensors or \
         pytorch_model.bin beside it"
    )]
    TrainingArguments,
}
