//! The protocol core: plan, parameter layout, state, decide, apply and outer optimizers.
