package workflows

// Execute lets tests run runbooks of their own through the kernel.
var Execute = execute

// Blocking lets tests read what a check step says.
var Blocking = blocking

// Unless lets tests make steps that may not be needed.
var Unless = unless

// PointPlatform, OpenPort and ClosePort let tests run these steps by themselves.
var (
	PointPlatform = pointPlatform
	OpenPort      = openPort
	ClosePort     = closePort
)

// RecoveryTimes and Board let tests call these pure functions.
var (
	RecoveryTimes = recoveryTimes
	Board         = board
)
