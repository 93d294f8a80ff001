package workflows

// Execute lets tests run runbooks of their own through the kernel.
var Execute = execute
