using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace NetAutomation.Tests.Support;

/// <summary>Waits for what other tasks and processes bring about: the only way in which a test polls.</summary>
internal static class Eventually
{
    /// <summary>
    /// How long a test waits for what must come: a machine under load is slow, which is no failure. Where the service would bring it about
    /// by itself after a while, such as the end of an idle connection, a test has to wait for less.
    /// </summary>
    public static readonly TimeSpan Limit = TimeSpan.FromMinutes(4);

    private static readonly TimeSpan _longest = TimeSpan.FromMilliseconds(100);

    /// <summary>Returns as soon as the condition holds.</summary>
    /// <param name="condition">Asked again and again, ever more seldom.</param>
    /// <param name="awaited">What the test waits for; the condition itself where omitted.</param>
    /// <param name="details">What a failure shows in addition.</param>
    /// <param name="within">After this time the test fails.</param>
    /// <param name="expression">The condition's text, from the compiler.</param>
    /// <exception cref="TimeoutException">It did not hold in time.</exception>
    public static async Task Holds(
        Func<Task<bool>> condition, string? awaited = null, Func<string>? details = null, TimeSpan? within = null,
        [CallerArgumentExpression(nameof(condition))] string expression = "")
    {
        if (!await Within(within ?? Limit, condition))
        {
            throw new TimeoutException($"Waited in vain for {awaited ?? expression}. {details?.Invoke()}");
        }
    }

    /// <inheritdoc cref="Holds(Func{Task{bool}}, string, Func{string}, TimeSpan?, string)"/>
    public static Task Holds(
        Func<bool> condition, string? awaited = null, Func<string>? details = null, TimeSpan? within = null,
        [CallerArgumentExpression(nameof(condition))] string expression = "") =>
        Holds(() => Task.FromResult(condition()), awaited, details, within, expression);

    /// <summary>Whether the condition came to hold within the time.</summary>
    public static async Task<bool> Within(TimeSpan limit, Func<Task<bool>> condition)
    {
        var begun = Stopwatch.GetTimestamp();
        var pause = TimeSpan.FromMilliseconds(10);
        while (!await condition())
        {
            if (Stopwatch.GetElapsedTime(begun) > limit)
            {
                return false;
            }

            await Task.Delay(pause);
            pause = pause * 2 < _longest ? pause * 2 : _longest;
        }

        return true;
    }
}
