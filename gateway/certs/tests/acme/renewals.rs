//! renewals
