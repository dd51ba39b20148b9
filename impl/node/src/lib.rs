//! A whole server as data events and effects: no runtime, thread or clock.
