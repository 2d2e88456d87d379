using NetAutomation.Persistence;

namespace NetAutomation.Web.Http;

/// <summary>Runs every <c>/operator/v1</c> handler as one transaction under the system role. A refusal rolls back.</summary>
internal sealed class OperatorFilter : IEndpointFilter
{
    public async ValueTask<object?> InvokeAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        var http = context.HttpContext;
        http.RequestServices.GetRequiredService<OperatorCaller>();
        if (http.GetEndpoint()!.Metadata.GetMetadata<OwnTransaction>() is not null)
        {
            return await next(context);
        }

        var db = http.RequestServices.GetRequiredService<SystemDb>();
        await using var transaction = await db.Database.BeginTransactionAsync(http.RequestAborted);
        var (result, refused) = await RequestTransaction.Run(context, next);
        if (!refused)
        {
            await transaction.CommitAsync(http.RequestAborted);
        }

        return result;
    }
}
