using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;

namespace NetAutomation.Web.Http;

/// <summary>
/// The OpenAPI 3.1 document at <c>/openapi/v1.json</c> and Swagger UI at <c>/swagger</c>; neither loads anything from elsewhere.
/// </summary>
internal static class ApiDocument
{
    public static void AddApiDocument(this IServiceCollection services) => services.AddOpenApi("v1", options =>
    {
        options.OpenApiVersion = OpenApiSpecVersion.OpenApi3_1;
        options.ShouldInclude = description => description.RelativePath?.StartsWith("v1", StringComparison.Ordinal) == true;
        options.AddDocumentTransformer((document, _, _) =>
        {
            document.Info = new OpenApiInfo
            {
                Title = "NetAutomation",
                Version = "v1",
                Description = "Buy or rent blocks (Ansible playbooks for routers and switches) and run them on your own devices "
                    + "over AWS PrivateLink.",
            };
            document.Servers = [];
            document.Components ??= new OpenApiComponents();
            document.Components.SecuritySchemes = new Dictionary<string, IOpenApiSecurityScheme>(StringComparer.Ordinal)
            {
                ["apiKey"] = new OpenApiSecurityScheme
                {
                    Type = SecuritySchemeType.Http,
                    Scheme = "bearer",
                    BearerFormat = "nak_…",
                    Description = "API key of the tenant whose VPC endpoint carries the connection.",
                },
            };
            document.Security = [new OpenApiSecurityRequirement { [new OpenApiSecuritySchemeReference("apiKey", document)] = [] }];
            return Task.CompletedTask;
        });
        options.AddOperationTransformer(Describe);
        options.AddSchemaTransformer(Shape);
    });

    public static void MapApiDocument(this WebApplication app)
    {
        app.MapOpenApi("/openapi/{documentName:regex(^v1$)}.json").WithMetadata(new AnyListener());
        app.UseSwaggerUI(options =>
        {
            options.SwaggerEndpoint("/openapi/v1.json", "NetAutomation v1");
            options.DocumentTitle = "NetAutomation API";
            options.EnablePersistAuthorization();
        });
    }

    public static void MapProblemTypes(this WebApplication app) => app.MapGet(
        "/problems/{code}",
        (string code) => ProblemType.All.TryGetValue(code, out var type)
            ? Results.Json(new { type = $"/problems/{type.Code}", type.Title, type.Status })
            : Problems.NotFound.With())
        .WithMetadata(new AnyListener()).ExcludeFromDescription();

    private static async Task Describe(OpenApiOperation operation, OpenApiOperationTransformerContext context, CancellationToken cancel)
    {
        var metadata = context.Description.ActionDescriptor.EndpointMetadata;
        if (metadata.OfType<Takes>().FirstOrDefault() is { MediaType: var taken })
        {
            operation.RequestBody = new OpenApiRequestBody
            {
                Required = true,
                Content = new Dictionary<string, OpenApiMediaType>(StringComparer.Ordinal)
                {
                    [taken] = new() { Schema = new OpenApiSchema { Type = JsonSchemaType.String } },
                },
            };
        }

        if (context.Description.HttpMethod == "POST" && !metadata.OfType<OwnTransaction>().Any())
        {
            (operation.Parameters ??= []).Add(new OpenApiParameter
            {
                Name = Http.IdempotentRequest.Header,
                In = ParameterLocation.Header,
                Required = metadata.OfType<IdempotencyRequired>().Any(),
                Description = "16-255 printable characters; quotation marks around them make no difference. The same key and body give the "
                    + "first answer again; kept 30 days.",
                Schema = new OpenApiSchema { Type = JsonSchemaType.String, MinLength = 16, MaxLength = 255 },
            });
        }

        var matched = metadata.OfType<RequiredMatch>().Any()
            || (context.Description.HttpMethod is "PATCH" or "PUT" or "DELETE" && !metadata.OfType<Unconditional>().Any());
        if (matched || metadata.OfType<OptionalMatch>().Any())
        {
            (operation.Parameters ??= []).Add(new OpenApiParameter
            {
                Name = "If-Match",
                In = ParameterLocation.Header,
                Required = matched,
                Description = "The resource's ETag.",
                Schema = new OpenApiSchema { Type = JsonSchemaType.String },
            });
        }

        foreach (
            var parameter in (operation.Parameters ?? []).OfType<OpenApiParameter>()
                .Where(parameter => parameter.In == ParameterLocation.Query))
        {
            parameter.Name = System.Text.Json.JsonNamingPolicy.CamelCase.ConvertName(parameter.Name!);
            if (parameter.Schema is OpenApiSchema { Type: { } type } schema)
            {
                // What a query leaves out is not null in it.
                schema.Type = type & ~JsonSchemaType.Null;
            }
        }

        (operation.Extensions ??= new Dictionary<string, IOpenApiExtension>(StringComparer.Ordinal))["x-role"] =
            new JsonNodeExtension(JsonValue.Create(Wire.Name(metadata.OfType<RequiredRole>().Last().Role)));
        var problem = await context.GetOrCreateSchemaAsync(typeof(ProblemBody), null, cancel);
        context.Document!.AddComponent("Problem", problem);
        var reference = new OpenApiSchemaReference("Problem", context.Document);
        operation.Responses ??= [];
        foreach (
            var kinds in Refusals(operation, context.Description.HttpMethod, matched, metadata).Distinct().GroupBy(type => type.Status)
                .OrderBy(kinds => kinds.Key))
        {
            operation.Responses.TryAdd(kinds.Key.ToString(System.Globalization.CultureInfo.InvariantCulture), new OpenApiResponse
            {
                Description = string.Join(", ", kinds.Select(type => $"`{type.Code}`").Order(StringComparer.Ordinal)),
                Content =
                    new Dictionary<string, OpenApiMediaType>(
                        StringComparer.Ordinal)
                    { ["application/problem+json"] = new() { Schema = reference } },
                Headers = Headers(context.Document, [.. kinds]),
            });
        }
    }

    /// <summary>The headers of an answer with one of these refusals.</summary>
    private static Dictionary<string, IOpenApiHeader> Headers(OpenApiDocument document, ProblemType[] kinds)
    {
        var headers = new Dictionary<string, IOpenApiHeader>(StringComparer.Ordinal);
        void Add(string name, JsonSchemaType type, string meaning)
        {
            document.AddComponent<IOpenApiHeader>(
                name, new OpenApiHeader { Description = meaning, Schema = new OpenApiSchema { Type = type } });
            headers[name] = new OpenApiHeaderReference(name, document);
        }

        var limited = kinds.Contains(Problems.RateLimited);
        if (limited || kinds.Contains(Problems.Unavailable) || kinds.Contains(Problems.IdempotencyInFlight))
        {
            Add("Retry-After", JsonSchemaType.Integer, "Seconds after which to try again; absent where a repeat may not help.");
        }

        if (limited)
        {
            Add("RateLimit-Policy", JsonSchemaType.String, "The rates that the request counted for (docs/api.md).");
            Add("RateLimit", JsonSchemaType.String, "What is left of them.");
        }

        return headers;
    }

    /// <summary>The refusals that follow from the conventions, and those that the operation declares.</summary>
    private static IEnumerable<ProblemType> Refusals(OpenApiOperation operation, string? verb, bool matched, IList<object> metadata)
    {
        static ProblemType[] When(bool holds, params ProblemType[] types) => holds ? types : [];
        return [
            Problems.Malformed, Problems.Unauthorized, Problems.NotFound, Problems.Refused, Problems.TooCostly, Problems.RateLimited,
            Problems.Internal, Problems.Unavailable, Problems.RoleInsufficient,
            .. When(verb != "GET", Problems.TenantSuspended),
            .. When(
                verb == "POST", Problems.IdempotencyKeyMissing, Problems.IdempotencyInFlight, Problems.IdempotencyReused,
                Problems.BodyTooLarge),
            .. When(matched, Problems.PreconditionRequired),
            .. When(matched || metadata.OfType<OptionalMatch>().Any(), Problems.PreconditionFailed),
            .. When(operation.RequestBody is not null, Problems.BodyTooLarge, Problems.UnsupportedMediaType),
            .. When(operation.Parameters?.Any(parameter => parameter.Name == "limit") == true, Problems.CursorMismatch),
            .. When(metadata.OfType<SecretOnce>().Any(), Problems.SecretAlreadyShown),
            .. metadata.OfType<Refuses>().SelectMany(refuses => refuses.Types),
        ];
    }

    private static async Task Shape(OpenApiSchema schema, OpenApiSchemaTransformerContext context, CancellationToken cancel)
    {
        var type = Nullable.GetUnderlyingType(context.JsonTypeInfo.Type) ?? context.JsonTypeInfo.Type;
        var nullable = Nullable.GetUnderlyingType(context.JsonTypeInfo.Type) is not null ? JsonSchemaType.Null : default;
        if (type.IsGenericType && type.GetGenericTypeDefinition() == typeof(Id<>))
        {
            var prefix = (string)type.GetGenericArguments()[0].GetProperty("Prefix")!.GetValue(null)!;
            schema.Type = JsonSchemaType.String | nullable;
            schema.Pattern = $"^{prefix}[0-9a-hjkmnp-tv-z]{{26}}$";
            schema.Properties?.Clear();
        }
        else if (type == typeof(ProblemBody))
        {
            foreach (var (name, member, meaning) in ProblemBody.Further)
            {
                var further = await context.GetOrCreateSchemaAsync(member, null, cancel);
                further.Description = meaning;
                schema.Properties![name] = further;
            }
        }
        else if (type == typeof(Money))
        {
            schema.Type = JsonSchemaType.Object | nullable;
            schema.Properties = new Dictionary<string, IOpenApiSchema>(StringComparer.Ordinal)
            {
                ["amount"] = new OpenApiSchema { Type = JsonSchemaType.String, Pattern = @"^-?\d+(\.\d{1,6})?$" },
                ["currency"] = new OpenApiSchema { Type = JsonSchemaType.String, Enum = [JsonValue.Create(Money.Currency)] },
            };
            schema.Required = new HashSet<string>(StringComparer.Ordinal) { "amount", "currency" };
        }
        else if (type.IsEnum)
        {
            schema.Type = JsonSchemaType.String | nullable;
        }
        else if (type == typeof(int) || type == typeof(long))
        {
            // A converter of ours hides the JSON type, here and below.
            schema.Type = JsonSchemaType.Integer | nullable;
            schema.Format = type == typeof(int) ? "int32" : "int64";
        }
        else if (type == typeof(string) || type == typeof(DateTimeOffset))
        {
            schema.Type =
                JsonSchemaType.String | nullable | (context.JsonPropertyInfo is { IsSetNullable: true } ? JsonSchemaType.Null : default);
            schema.Format = type == typeof(string) ? null : "date-time";
        }
        else if (context.JsonTypeInfo is { Kind: JsonTypeInfoKind.Enumerable, ElementType: { } item })
        {
            schema.Items ??= await context.GetOrCreateSchemaAsync(item, null, cancel);
        }
        else if (context.JsonTypeInfo is { Kind: JsonTypeInfoKind.Dictionary, ElementType: { } value })
        {
            schema.AdditionalProperties ??= await context.GetOrCreateSchemaAsync(value, null, cancel);
        }
    }
}
