using System.Net;
using Amazon.Runtime;

namespace Amazon.AWSMarketplaceMetering;

/// <summary>Any error the metering service answers (Marketplace Metering API Reference).</summary>
public class AmazonAWSMarketplaceMeteringException(
    string message, Exception? innerException = null, ErrorType errorType = ErrorType.Unknown, string? errorCode = null,
    string? requestId = null, HttpStatusCode statusCode = default)
    : AmazonServiceException(message, innerException, errorType, errorCode, requestId, statusCode);
