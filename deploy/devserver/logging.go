package main

import (
	"fmt"

	"go.temporal.io/server/common/log"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// serverLog is the log of the embedded server. While its services start and
// stop they miss one another and report that as errors; at those times only
// what ends the process is worth a line, unless more detail was asked for.
type serverLog struct {
	log.Logger
	wanted  zapcore.Level
	current zap.AtomicLevel
}

// newServerLog starts hushed. zap's Fatal really ends the process; a logger that
// returned from it would let the server run on without its listener.
func newServerLog(level string) (*serverLog, error) {
	wanted, err := zapcore.ParseLevel(level)
	if err != nil {
		return nil, fmt.Errorf("--log-level: %w; use debug, info, warn or error", err)
	}
	conf := zap.NewProductionConfig()
	conf.Level = zap.NewAtomicLevelAt(wanted)
	conf.Encoding = "console"
	conf.EncoderConfig = log.DefaultZapEncoderConfig
	conf.Sampling = nil
	conf.DisableCaller = true
	conf.DisableStacktrace = true
	logger, err := conf.Build()
	if err != nil {
		return nil, fmt.Errorf("set up the log: %w", err)
	}
	l := &serverLog{Logger: log.NewZapLogger(logger), wanted: wanted, current: conf.Level}
	l.hush()
	return l, nil
}

func (l *serverLog) hush() {
	if l.wanted >= zapcore.WarnLevel {
		l.current.SetLevel(zapcore.FatalLevel)
	}
}

func (l *serverLog) speak() { l.current.SetLevel(l.wanted) }
