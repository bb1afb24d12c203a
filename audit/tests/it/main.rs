//! Whole logs: written to memory and to folders, verified, and changed in every way a table names.

#![cfg(test)]
mod hostile;
mod mutations;
mod outside;
mod sample;
mod verifying;
