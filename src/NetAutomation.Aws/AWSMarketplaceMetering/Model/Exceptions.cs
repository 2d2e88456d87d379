using System.Net;
using Amazon.Runtime;

namespace Amazon.AWSMarketplaceMetering.Model;

/// <summary>The registration token has expired (Marketplace Metering API Reference).</summary>
public class ExpiredTokenException(
    string message, Exception? innerException = null, ErrorType errorType = ErrorType.Unknown, string? errorCode = null,
    string? requestId = null, HttpStatusCode statusCode = default)
    : AmazonAWSMarketplaceMeteringException(message, innerException, errorType, errorCode, requestId, statusCode);

/// <summary>The service failed; retry (Marketplace Metering API Reference).</summary>
public class InternalServiceErrorException(
    string message, Exception? innerException = null, ErrorType errorType = ErrorType.Unknown, string? errorCode = null,
    string? requestId = null, HttpStatusCode statusCode = default)
    : AmazonAWSMarketplaceMeteringException(message, innerException, errorType, errorCode, requestId, statusCode);

/// <summary>The registration token is not valid (Marketplace Metering API Reference).</summary>
public class InvalidTokenException(
    string message, Exception? innerException = null, ErrorType errorType = ErrorType.Unknown, string? errorCode = null,
    string? requestId = null, HttpStatusCode statusCode = default)
    : AmazonAWSMarketplaceMeteringException(message, innerException, errorType, errorCode, requestId, statusCode);
