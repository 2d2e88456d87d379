using System.Collections.Concurrent;
using System.Reflection;
using System.Text.Json;
using Microsoft.AspNetCore.Diagnostics;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Mvc.ApiExplorer;
using Microsoft.AspNetCore.Mvc.ModelBinding;
using Microsoft.Net.Http.Headers;

namespace NetAutomation.Web.Http;

/// <summary>
/// What each operation takes besides its path, read from the description that the API document is made of, so that no operation can forget
/// to say it. What an operation does not take is refused before it is bound.
/// </summary>
internal sealed class RequestForms(IApiDescriptionGroupCollectionProvider descriptions)
{
    // An operation takes the same in every application of a process.
    private static readonly ConcurrentDictionary<MethodInfo, RequestForm?> _known = [];

    // Endpoints are known only when the application has started.
    private readonly Lazy<Dictionary<MethodInfo, RequestForm>> _forms = new(() => descriptions.ApiDescriptionGroups.Items
        .SelectMany(group => group.Items).DistinctBy(Handler).ToDictionary(Handler, Form));

    /// <summary>Middleware behind the proof of the caller.</summary>
    public Task Check(HttpContext context, RequestDelegate next)
    {
        var form = Of(context.GetEndpoint());
        if (form?.Refusal(context.Request) is { } refusal)
        {
            return refusal.ExecuteAsync(context);
        }

        if (form?.MediaType == RequestForm.JsonType && context.Request.ContentType is not null)
        {
            // The framework reads the type again, and fails on a charset in quotes.
            context.Request.ContentType = RequestForm.JsonType;
        }

        return next(context);
    }

    /// <summary>Says in our words what the framework could not bind.</summary>
    public Problem Unbound(BadHttpRequestException fault, HttpContext context)
    {
        // The framework names the parameter in its message alone, as "Nullable<int> Limit"; nothing else of the message is used.
        var parameter = fault.Message.Split('"') is [_, var named, ..] ? named[(named.LastIndexOf(' ') + 1)..] : "";
        return Of(context.Features.Get<IExceptionHandlerFeature>()?.Endpoint ?? context.GetEndpoint())?.Unbound(parameter, context.Request)
            ?? Problems.Malformed.With();
    }

    private RequestForm? Of(Endpoint? endpoint) =>
        endpoint?.Metadata.OfType<MethodInfo>().LastOrDefault() is { } handler
            ? _known.GetOrAdd(handler, each => _forms.Value.GetValueOrDefault(each)) : null;

    private static MethodInfo Handler(ApiDescription operation) =>
        operation.ActionDescriptor.EndpointMetadata.OfType<MethodInfo>().Last();

    private static RequestForm Form(ApiDescription operation)
    {
        var parameters = operation.ParameterDescriptions;
        return new RequestForm(
            parameters.Where(parameter => parameter.Source == BindingSource.Query).ToDictionary(
                parameter => JsonNamingPolicy.CamelCase.ConvertName(parameter.Name),
                parameter => parameter.ParameterDescriptor?.ParameterType ?? parameter.Type,
                StringComparer.OrdinalIgnoreCase),
            operation.ActionDescriptor.EndpointMetadata.OfType<Takes>().LastOrDefault()?.MediaType
                ?? (parameters.Any(parameter => parameter.Source == BindingSource.Body) ? RequestForm.JsonType : null));
    }
}

/// <summary>What one operation takes.</summary>
/// <param name="Query">The members of its query, each once, and their types. As in binding, case does not count.</param>
/// <param name="MediaType">Of its body; null where it takes none.</param>
internal sealed record RequestForm(Dictionary<string, Type> Query, string? MediaType)
{
    public const string JsonType = "application/json";

    /// <summary>Null where the query and the media type are the operation's.</summary>
    public Problem? Refusal(HttpRequest request)
    {
        var known = Query.Count == 0 ? "It takes none." : $"It takes {string.Join(", ", Query.Keys)}.";
        var faults = request.Query.Where(member => !Query.ContainsKey(member.Key) || member.Value.Count > 1)
            .Select(member => Query.Keys.FirstOrDefault(name => name.Equals(member.Key, StringComparison.OrdinalIgnoreCase)) is { } name
                ? Fault(name, "duplicate", $"The query member '{name}' is given twice.")
                : Fault(member.Key, "unknown_member", $"The operation has no query member '{member.Key}'. {known}"))
            .ToList();
        return faults.Count > 0 ? new Problem(Problems.Malformed, faults[0].Detail, faults)
            : MediaType is not null && CanHaveBody(request) && !IsOf(request.ContentType, MediaType)
                ? Problems.UnsupportedMediaType.With($"The body must be {MediaType} in UTF-8.")
            : null;
    }

    /// <summary>The refusal of a parameter that could not be bound, or of a body that is missing.</summary>
    public Problem? Unbound(string parameter, HttpRequest request) =>
        Query.TryGetValue(parameter, out var type)
            ? new Problem(
                Problems.Malformed, $"The query member '{JsonNamingPolicy.CamelCase.ConvertName(parameter)}' cannot be read.",
                [Fault(JsonNamingPolicy.CamelCase.ConvertName(parameter), "type", $"The value is not {Words(type)}.")])
            : MediaType == JsonType ? Problems.Malformed.At("", "required", "The operation needs a JSON object as its body.")
            : null;

    private static ProblemError Fault(string member, string code, string detail) =>
        new ProblemError($"/{JsonPointer.Escape(member)}", code, detail);

    private static bool CanHaveBody(HttpRequest request) =>
        request.HttpContext.Features.Get<IHttpRequestBodyDetectionFeature>()?.CanHaveBody == true;

    /// <summary>As RFC 9110 compares: without regard to case, whatever the parameters are. A charset must be UTF-8.</summary>
    private static bool IsOf(string? given, string wanted) =>
        MediaTypeHeaderValue.TryParse(given, out var type)
        && (type.MediaType.Equals(wanted, StringComparison.OrdinalIgnoreCase)
            || (wanted == JsonType && type.Type.Equals("application", StringComparison.OrdinalIgnoreCase)
                && type.Suffix.Equals("json", StringComparison.OrdinalIgnoreCase)))
        && (type.Charset.Length == 0 || HeaderUtilities.RemoveQuotes(type.Charset).Equals("utf-8", StringComparison.OrdinalIgnoreCase));

    private static string Words(Type type) => (Nullable.GetUnderlyingType(type) ?? type) switch
    {
        var each when each == typeof(bool) => "true or false",
        var each when each == typeof(int) || each == typeof(long) => "a whole number in range",
        var each when each == typeof(DateTimeOffset) => "a time, for example 2027-01-31T02:00:00Z",
        _ => "of the member's type",
    };
}
