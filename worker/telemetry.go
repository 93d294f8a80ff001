package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"time"

	"go.opentelemetry.io/contrib/exporters/autoexport"
	"go.opentelemetry.io/otel"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/opentelemetry"
	"go.temporal.io/sdk/interceptor"
)

// telemetry is what the OTEL_* variables ask for; by default nothing is exported.
type telemetry struct {
	interceptors []interceptor.ClientInterceptor
	metrics      client.MetricsHandler
	shutdown     []func(context.Context) error
}

func startTelemetry(ctx context.Context) (*telemetry, error) {
	// The standard's default is OTLP to localhost; a worker without a collector
	// would log an error a minute, so nothing is exported until asked for.
	for _, name := range []string{"OTEL_TRACES_EXPORTER", "OTEL_METRICS_EXPORTER"} {
		if os.Getenv(name) == "" {
			if err := os.Setenv(name, "none"); err != nil {
				return nil, err
			}
		}
	}
	res, err := resource.New(ctx, resource.WithFromEnv(), resource.WithHost(), resource.WithTelemetrySDK())
	if err != nil {
		return nil, err
	}
	spans, err := autoexport.NewSpanExporter(ctx)
	if err != nil {
		return nil, err
	}
	reader, err := autoexport.NewMetricReader(ctx)
	if err != nil {
		return nil, err
	}
	traces := sdktrace.NewTracerProvider(sdktrace.WithBatcher(spans), sdktrace.WithResource(res))
	meters := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader), sdkmetric.WithResource(res))
	otel.SetTracerProvider(traces)
	otel.SetMeterProvider(meters)
	tracing, err := opentelemetry.NewTracingInterceptor(opentelemetry.TracerOptions{Tracer: traces.Tracer("acpflow")})
	if err != nil {
		return nil, err
	}
	return &telemetry{
		interceptors: []interceptor.ClientInterceptor{tracing},
		metrics:      opentelemetry.NewMetricsHandler(opentelemetry.MetricsHandlerOptions{Meter: meters.Meter("temporal-sdk")}),
		shutdown:     []func(context.Context) error{traces.Shutdown, meters.Shutdown},
	}, nil
}

// stop flushes what is left, within seconds.
func (t *telemetry) stop(logger *slog.Logger) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	var errs []error
	for _, f := range t.shutdown {
		errs = append(errs, f(ctx))
	}
	if err := errors.Join(errs...); err != nil {
		logger.Warn("telemetry not flushed", "error", err)
	}
}
