using System.Net;
using Amazon.Runtime;

namespace Amazon.MarketplaceEntitlementService.Model;

/// <summary>The service failed; retry (Marketplace Entitlement API Reference).</summary>
public class InternalServiceErrorException(
    string message, Exception? innerException = null, ErrorType errorType = ErrorType.Unknown, string? errorCode = null,
    string? requestId = null, HttpStatusCode statusCode = default)
    : AmazonMarketplaceEntitlementServiceException(message, innerException, errorType, errorCode, requestId, statusCode);

/// <summary>A parameter is not valid (Marketplace Entitlement API Reference).</summary>
public class InvalidParameterException(
    string message, Exception? innerException = null, ErrorType errorType = ErrorType.Unknown, string? errorCode = null,
    string? requestId = null, HttpStatusCode statusCode = default)
    : AmazonMarketplaceEntitlementServiceException(message, innerException, errorType, errorCode, requestId, statusCode);

/// <summary>Too many calls (Marketplace Entitlement API Reference).</summary>
public class ThrottlingException(
    string message, Exception? innerException = null, ErrorType errorType = ErrorType.Unknown, string? errorCode = null,
    string? requestId = null, HttpStatusCode statusCode = default)
    : AmazonMarketplaceEntitlementServiceException(message, innerException, errorType, errorCode, requestId, statusCode);
