//! Stories over the real binary: each file shows what its name says.

#![expect(clippy::unwrap_used, reason = "a story that cannot go on has failed")]

mod a_host_belongs_to_one_project;
mod admin_tells;
mod certificates;
mod certificates_are_ordered;
mod clients_prove_themselves;
mod dev_reloads;
mod dev_serves_the_shop;
mod drain;
mod every_language_does_a_job;
mod functions_call_out;
mod going_back;
mod hostile_guests_hurt_only_themselves;
mod hosts_wait_for_their_owners;
mod https_is_what_visitors_get;
mod libraries_are_linked;
mod limits_hold;
mod names_are_answered;
mod new_makes_projects;
mod records_are_answered;
mod run_follows_a_branch;
mod seeing_inside;
mod separate_repositories;
mod state_survives_kill;
mod values_outlive_requests;
mod websites_are_cached;
