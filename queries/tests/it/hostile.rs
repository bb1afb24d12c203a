//! Questions made to crash, to stall, or to slip something past the planner.
