//! A withheld cell stays withheld through the tail, and what depends on it says so.
