package workflows

// Execute lets tests run runbooks of their own through the kernel.
var Execute = execute

// Blocking lets tests read what a check step says.
var Blocking = blocking

// Unless lets tests make steps that may not be needed.
var Unless = unless
