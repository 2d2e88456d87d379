using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Http.Metadata;
using Microsoft.AspNetCore.Mvc;
using NetAutomation.Web.Evaluation;
using NetAutomation.Web.Http;
using NetAutomation.Web.Rates;
using NetAutomation.Web.Telemetry;
using Serilog;
using Serilog.Configuration;
using Serilog.Formatting.Json;

namespace NetAutomation.Web;

/// <summary>The base of every module: logs, problem+json, the API document, health, the route groups.</summary>
internal static class WebModule
{
    // A run names up to 10,000 devices of 30 characters; its input fits beside them.
    private const int LargestBody = 2 * 1024 * 1024;

    // A form of the registration page holds a token or an account.
    private const int LargestForm = 64 * 1024;

    public static void AddWeb(this WebApplicationBuilder builder)
    {
        builder.Host.UseDefaultServiceProvider(options => options.ValidateOnBuild = options.ValidateScopes = true);
        builder.Services.AddOptions<CellOptions>().BindConfiguration("Cell").ValidateDataAnnotations().ValidateOnStart();
        var lines = new LeftOutLines();
        var logger = new LoggerConfiguration()
            .ReadFrom.Configuration(builder.Configuration)
            .Enrich.FromLogContext()
            .Enrich.WithProperty("Cell", builder.Configuration["Cell:Name"] ?? new CellOptions().Name)
            .WriteTo.Sink(LoggerSinkConfiguration.Wrap(
                written => new BoundedLines(written, lines, TimeProvider.System),
                to => to.Console(new JsonFormatter(renderMessage: true), standardErrorFromLevel: Serilog.Events.LogEventLevel.Verbose)))
            .CreateLogger();
        builder.Logging.ClearProviders().AddSerilog(logger, dispose: true);

        var services = builder.Services;
        services.AddSingleton(TimeProvider.System);
        services.AddSingleton(lines);
        services.AddInstruments<LogMetrics>();
        services.AddHttpContextAccessor();
        services.ConfigureHttpJsonOptions(options => Json.Configure(options.SerializerOptions));
        services.Configure<RouteHandlerOptions>(options => options.ThrowOnBadRequest = true);
        services.AddSingleton<RequestForms>();
        services.AddExceptionHandler<RequestFaults>();
        services.AddProblemDetails();
        services.AddScoped<AuditLog>().AddScoped<Evaluations>();
        services.AddInstruments<EvaluationMetrics>();
        services.AddRates();
        // Exports alone: a small answer costs more to compress than to send, a stream of events would wait, and a log is read by ranges.
        services.AddResponseCompression(
            options => (options.EnableForHttps, options.MimeTypes) = (true, ["text/csv", "application/x-ndjson"]));
        services.AddApiDocument();
    }

    /// <summary>Middleware in front of every route. Call before anything is mapped.</summary>
    public static void UseWeb(this WebApplication app)
    {
        app.Use(HeadRequests.Answer);
        app.UseResponseCompression();
        app.UseExceptionHandler();
        app.UseStatusCodePages(
            context => RequestFaults.OfStatus(context.HttpContext.Response.StatusCode).ExecuteAsync(context.HttpContext));
        app.Use(async (context, next) =>
        {
            await next(context);
            if (context.Response is { StatusCode: StatusCodes.Status416RangeNotSatisfiable, HasStarted: false } response)
            {
                // The framework says "empty, of the file's type", which would keep the problem out.
                (response.ContentLength, response.ContentType) = (null, null);
            }
            else if (context.Response is { StatusCode: StatusCodes.Status405MethodNotAllowed, HasStarted: false, Headers: var headers })
            {
                // Routes name GET alone, and HeadRequests adds HEAD to it.
                headers.Allow = headers.Allow.ToString().Replace("GET", "GET, HEAD", StringComparison.Ordinal);
            }
        });
        app.Use(RequestLog.Write);
        app.Use(async (context, next) =>
        {
            // PostgreSQL stores no U+0000; a body is checked where it is read.
            if (context.Features.Get<IHttpRequestFeature>()!.RawTarget.Contains("%00", StringComparison.Ordinal))
            {
                await Problems.Malformed.With("The URL holds U+0000.").ExecuteAsync(context);
                return;
            }

            ChunkedBody.Watch(context.Request);
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
        app.Use(RoleCheck.Check);
        app.Use(app.Services.GetRequiredService<RequestForms>().Check);
        var customer = app.MapGroup("/v1").WithMetadata(new ListenerFeature(Listener.Customer), new RequestSizeLimitAttribute(LargestBody))
            .AddEndpointFilter<CustomerFilter>();
        var operators = app.MapGroup("/operator/v1").WithMetadata(new ListenerFeature(Listener.Operator))
            .AddEndpointFilter<OperatorFilter>();
        ((IEndpointConventionBuilder)customer).Finally(TakeAnyMediaType);
        ((IEndpointConventionBuilder)customer).Finally(RoleCheck.RequireMember);
        ((IEndpointConventionBuilder)operators).Finally(TakeAnyMediaType);
        ((IEndpointConventionBuilder)operators).Finally(RoleCheck.RequireOperator);
        var registration = app.MapGroup("/marketplace")
            .WithMetadata(new ListenerFeature(Listener.Registration), new RequestSizeLimitAttribute(LargestForm)).ExcludeFromDescription();
        app.MapApiDocument();
        app.MapProblemTypes();
        return new ApiRoutes(customer, operators, registration);
    }

    // Routing by media type would answer 404 where a route with a body shares its place with one without, such as {id}:resolve and
    // {id}:cancel. Without it RequestForms answers 415.
    private static void TakeAnyMediaType(EndpointBuilder endpoint)
    {
        foreach (var accepts in endpoint.Metadata.OfType<IAcceptsMetadata>().ToList())
        {
            endpoint.Metadata.Remove(accepts);
        }
    }
}
