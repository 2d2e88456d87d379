namespace NetAutomation.Web;

/// <summary>Which of the service's listeners a connection came through, set on the connection before any byte of HTTP is read.</summary>
public enum Listener
{
    Customer,
    Connector,
    Operator,
    Registration,
    Peer,
}

/// <summary>The connection feature, and the endpoint metadata that must match it: a route answers 404 on every other listener.</summary>
internal sealed record ListenerFeature(Listener Listener);

/// <summary>Marks a route that answers on every listener, such as health.</summary>
internal sealed record AnyListener;

/// <summary>
/// The route groups a module maps its use cases on. Each carries its listener, caller check, transaction and problem types.
/// </summary>
/// <param name="Customer"><c>/v1</c> on the customer listener.</param>
/// <param name="Operator"><c>/operator/v1</c> on the operator listener.</param>
/// <param name="Registration">The buyer's browser, no caller identity.</param>
internal sealed record ApiRoutes(RouteGroupBuilder Customer, RouteGroupBuilder Operator, RouteGroupBuilder Registration);

/// <summary>The handler opens its own transactions, because it waits or streams.</summary>
internal sealed record OwnTransaction;

/// <summary>The POST costs money or touches a device, so the Idempotency-Key header is required.</summary>
internal sealed record IdempotencyRequired;

/// <summary>The body is of this media type, not JSON.</summary>
internal sealed record Takes(string MediaType);

/// <summary>The answer holds a secret that is never stored: a repeat gets 409 and the id instead.</summary>
internal sealed record SecretOnce;

/// <summary>Allowed although the tenant is suspended.</summary>
internal sealed record AllowedWhenSuspended;

/// <summary>The least role a member needs.</summary>
internal sealed record RequiredRole(MemberRole Role);

/// <summary>The role an operator needs.</summary>
internal sealed record RequiredOperatorRole(OperatorRole Role);

/// <summary>The resource carries no ETag: it can only be revoked, and a second time changes nothing.</summary>
internal sealed record Unconditional;

/// <summary>The operation changes a resource whatever it is like: If-Match may be left out, and is held to where it is given.</summary>
internal sealed record OptionalMatch;

/// <summary>The POST decides about a resource as it was read: If-Match is required.</summary>
internal sealed record RequiredMatch;

/// <summary>Refusals of this operation beyond those that the conventions bring; the API document lists them.</summary>
internal sealed record Refuses(params ProblemType[] Types);
