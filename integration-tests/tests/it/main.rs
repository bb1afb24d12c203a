//! Whole federations in one test, attacks, crashes; and the rules about the tree itself.

#![cfg(test)]

mod attacks;
mod auditing;
mod canary;
mod declared;
mod demo;
mod details;
mod faults;
mod generated;
mod hostile_gateway;
mod logs;
mod lookup_tables;
mod lookups;
mod policy_lifecycle;
mod protections;
mod questions;
mod readme;
mod receipts;
mod tidy;
mod unauthorized;
