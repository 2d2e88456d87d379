using Microsoft.AspNetCore.Http.Features;
using NetAutomation.Platform.Http;
using NetAutomation.Platform.OpenApi;
using Serilog;
using Serilog.Formatting.Json;

namespace NetAutomation.Platform;

/// <summary>What every module stands on: logs, problem+json, the API document, health, the route groups.</summary>
internal static class PlatformModule
{
    public static void AddPlatform(this WebApplicationBuilder builder)
    {
        builder.Host.UseDefaultServiceProvider(options => options.ValidateOnBuild = options.ValidateScopes = true);
        var logger = new LoggerConfiguration()
            .ReadFrom.Configuration(builder.Configuration)
            .Enrich.FromLogContext()
            .WriteTo.Console(new JsonFormatter(renderMessage: true), standardErrorFromLevel: Serilog.Events.LogEventLevel.Verbose)
            .CreateLogger();
        builder.Logging.ClearProviders().AddSerilog(logger, dispose: true);

        var services = builder.Services;
        services.AddSingleton(TimeProvider.System);
        services.AddHttpContextAccessor();
        services.ConfigureHttpJsonOptions(options => Json.Configure(options.SerializerOptions));
        services.Configure<RouteHandlerOptions>(options => options.ThrowOnBadRequest = true);
        services.AddExceptionHandler<RequestFaults>();
        services.AddProblemDetails();
        services.AddScoped<AuditLog>();
        services.AddApiDocument();
    }

    /// <summary>Middleware in front of every route. Call before anything is mapped.</summary>
    public static void UsePlatform(this WebApplication app)
    {
        app.UseExceptionHandler();
        app.UseStatusCodePages(context => RequestFaults.OfStatus(context.HttpContext.Response.StatusCode).ExecuteAsync(context.HttpContext));
        app.Use(RequestLog.Write);
        app.Use(async (context, next) =>
        {
            // PostgreSQL stores no U+0000; a body is checked where it is read.
            if (context.Features.Get<IHttpRequestFeature>()!.RawTarget.Contains("%00", StringComparison.Ordinal))
            {
                await Problems.Malformed.With("The URL holds U+0000.").ExecuteAsync(context);
                return;
            }

            if (context.Request.Headers.ContainsKey(IdempotentRequest.Header))
            {
                context.Request.EnableBuffering();
            }

            await next(context);
        });
        app.UseRouting();
        app.Use(async (context, next) =>
        {
            var endpoint = context.GetEndpoint();
            var wanted = endpoint?.Metadata.GetMetadata<ListenerFeature>();
            var here = context.Features.Get<ListenerFeature>();
            // The endpoints that answer 405 and 415 belong to no route and to no listener.
            if (endpoint is RouteEndpoint && endpoint.Metadata.GetMetadata<AnyListener>() is null && wanted != here)
            {
                await Problems.NotFound.With().ExecuteAsync(context);
                return;
            }

            await next(context);
        });
    }

    /// <summary>The route groups; modules map their use cases on them.</summary>
    public static ApiRoutes MapApi(this WebApplication app)
    {
        var customer = app.MapGroup("/v1").WithMetadata(new ListenerFeature(Listener.Customer)).AddEndpointFilter<CustomerFilter>();
        var operators = app.MapGroup("/operator/v1").WithMetadata(new ListenerFeature(Listener.Operator)).AddEndpointFilter<OperatorFilter>();
        var registration = app.MapGroup("/marketplace").WithMetadata(new ListenerFeature(Listener.Registration)).ExcludeFromDescription();
        app.MapApiDocument();
        app.MapProblemTypes();
        return new ApiRoutes(customer, operators, registration);
    }
}
