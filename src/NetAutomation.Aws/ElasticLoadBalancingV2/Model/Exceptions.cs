using System.Net;
using Amazon.Runtime;

namespace Amazon.ElasticLoadBalancingV2.Model;

/// <summary>A target does not exist or is not in the right VPC (ELBv2 API Reference).</summary>
public class InvalidTargetException(
    string message, Exception? innerException = null, ErrorType errorType = ErrorType.Unknown, string? errorCode = null,
    string? requestId = null, HttpStatusCode statusCode = default)
    : AmazonElasticLoadBalancingV2Exception(message, innerException, errorType, errorCode, requestId, statusCode);

/// <summary>No such target group (ELBv2 API Reference).</summary>
public class TargetGroupNotFoundException(
    string message, Exception? innerException = null, ErrorType errorType = ErrorType.Unknown, string? errorCode = null,
    string? requestId = null, HttpStatusCode statusCode = default)
    : AmazonElasticLoadBalancingV2Exception(message, innerException, errorType, errorCode, requestId, statusCode);
