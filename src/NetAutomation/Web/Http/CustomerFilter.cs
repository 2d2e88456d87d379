using Microsoft.Extensions.Options;
using NetAutomation.Persistence;
using NetAutomation.Web.Evaluation;
using NetAutomation.Web.Rates;

namespace NetAutomation.Web.Http;

/// <summary>
/// Runs every <c>/v1</c> handler as one transaction of the caller's tenant: row-level security, idempotency,
/// commit before the first byte of the answer. A refusal rolls back.
/// </summary>
internal sealed class CustomerFilter : IEndpointFilter
{
    public async ValueTask<object?> InvokeAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        var http = context.HttpContext;
        var caller = http.RequestServices.GetRequiredService<Caller>();
        var metadata = http.GetEndpoint()!.Metadata;
        var rates = http.RequestServices.GetRequiredService<RateLimits>();
        http.RequestServices.GetRequiredService<Evaluations>().Charge = steps => rates.Evaluate(http, caller.Tenant, steps);
        if (metadata.GetMetadata<OwnTransaction>() is not null)
        {
            return await next(context);
        }

        var db = http.RequestServices.GetRequiredService<NetAutomationDb>();
        var longest = TimeSpan.FromSeconds(http.RequestServices.GetRequiredService<IOptions<DatabaseOptions>>().Value.TransactionSeconds);
        await using var transaction = await db.Begin(caller.Tenant, http.RequestAborted, longest);
        var idempotency = await IdempotentRequest.Open(http, caller, db, metadata);
        if (idempotency.Refused(out var refused, out var request))
        {
            return refused;
        }

        if (request?.Replay is { } replay)
        {
            return replay;
        }

        var (result, isRefusal) = await RequestTransaction.Run(context, next);
        if (!isRefusal)
        {
            result = request is null ? result : await request.Store(result);
            await transaction.CommitAsync(http.RequestAborted);
        }

        return result;
    }
}
