using System.Net;
using Amazon.Runtime;

namespace Amazon.MarketplaceEntitlementService;

/// <summary>Any error the entitlement service answers (Marketplace Entitlement API Reference).</summary>
public class AmazonMarketplaceEntitlementServiceException(
    string message, Exception? innerException = null, ErrorType errorType = ErrorType.Unknown, string? errorCode = null,
    string? requestId = null, HttpStatusCode statusCode = default)
    : AmazonServiceException(message, innerException, errorType, errorCode, requestId, statusCode);
