using System.Net;
using Amazon.Runtime;

namespace Amazon.AWSMarketplaceMetering.Model;

/// <summary>The API is disabled in this Region (Marketplace Metering API Reference).</summary>
public class DisabledApiException(
    string message, Exception? innerException = null, ErrorType errorType = ErrorType.Unknown, string? errorCode = null,
    string? requestId = null, HttpStatusCode statusCode = default)
    : AmazonAWSMarketplaceMeteringException(message, innerException, errorType, errorCode, requestId, statusCode);

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

/// <summary>The customer is not valid for the product (Marketplace Metering API Reference).</summary>
public class InvalidCustomerIdentifierException(
    string message, Exception? innerException = null, ErrorType errorType = ErrorType.Unknown, string? errorCode = null,
    string? requestId = null, HttpStatusCode statusCode = default)
    : AmazonAWSMarketplaceMeteringException(message, innerException, errorType, errorCode, requestId, statusCode);

/// <summary>The licence is not valid for the call; the whole batch is refused (Marketplace Metering API Reference).</summary>
public class InvalidLicenseException(
    string message, Exception? innerException = null, ErrorType errorType = ErrorType.Unknown, string? errorCode = null,
    string? requestId = null, HttpStatusCode statusCode = default)
    : AmazonAWSMarketplaceMeteringException(message, innerException, errorType, errorCode, requestId, statusCode);

/// <summary>The product code is not the publisher's (Marketplace Metering API Reference).</summary>
public class InvalidProductCodeException(
    string message, Exception? innerException = null, ErrorType errorType = ErrorType.Unknown, string? errorCode = null,
    string? requestId = null, HttpStatusCode statusCode = default)
    : AmazonAWSMarketplaceMeteringException(message, innerException, errorType, errorCode, requestId, statusCode);

/// <summary>A tag is not valid (Marketplace Metering API Reference).</summary>
public class InvalidTagException(
    string message, Exception? innerException = null, ErrorType errorType = ErrorType.Unknown, string? errorCode = null,
    string? requestId = null, HttpStatusCode statusCode = default)
    : AmazonAWSMarketplaceMeteringException(message, innerException, errorType, errorCode, requestId, statusCode);

/// <summary>The registration token is not valid (Marketplace Metering API Reference).</summary>
public class InvalidTokenException(
    string message, Exception? innerException = null, ErrorType errorType = ErrorType.Unknown, string? errorCode = null,
    string? requestId = null, HttpStatusCode statusCode = default)
    : AmazonAWSMarketplaceMeteringException(message, innerException, errorType, errorCode, requestId, statusCode);

/// <summary>Allocations do not add up or repeat tags (Marketplace Metering API Reference).</summary>
public class InvalidUsageAllocationsException(
    string message, Exception? innerException = null, ErrorType errorType = ErrorType.Unknown, string? errorCode = null,
    string? requestId = null, HttpStatusCode statusCode = default)
    : AmazonAWSMarketplaceMeteringException(message, innerException, errorType, errorCode, requestId, statusCode);

/// <summary>The product has no such dimension (Marketplace Metering API Reference).</summary>
public class InvalidUsageDimensionException(
    string message, Exception? innerException = null, ErrorType errorType = ErrorType.Unknown, string? errorCode = null,
    string? requestId = null, HttpStatusCode statusCode = default)
    : AmazonAWSMarketplaceMeteringException(message, innerException, errorType, errorCode, requestId, statusCode);

/// <summary>Too many calls (Marketplace Metering API Reference).</summary>
public class ThrottlingException(
    string message, Exception? innerException = null, ErrorType errorType = ErrorType.Unknown, string? errorCode = null,
    string? requestId = null, HttpStatusCode statusCode = default)
    : AmazonAWSMarketplaceMeteringException(message, innerException, errorType, errorCode, requestId, statusCode);

/// <summary>A timestamp is too old or in the future; the whole batch is refused (Marketplace Metering API Reference).</summary>
public class TimestampOutOfBoundsException(
    string message, Exception? innerException = null, ErrorType errorType = ErrorType.Unknown, string? errorCode = null,
    string? requestId = null, HttpStatusCode statusCode = default)
    : AmazonAWSMarketplaceMeteringException(message, innerException, errorType, errorCode, requestId, statusCode);
